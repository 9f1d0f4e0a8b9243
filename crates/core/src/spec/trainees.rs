//! Building the trainees.

use std::collections::BTreeMap;

use crate::sizing::{Amounts, TraineeSize, Trainees};
use crate::spec::build::Builder;
use crate::spec::suggest::nearest;
use crate::spec::{Cpu, KeyPath, Memory, SpecErrorKind, TraineeDocument};

const COUNT_MAX: u32 = 100_000;

impl Builder<'_> {
    /// The trainees, largest first.
    pub(crate) fn trainees(&mut self, documents: &BTreeMap<String, TraineeDocument>) -> Option<Vec<Trainees>> {
        let path = KeyPath::dotted("trainees");
        let parsed: Vec<_> =
            documents.iter().map(|(name, document)| self.trainee(&path.key(name), name, document)).collect();
        let mut trainees: Vec<Trainees> = parsed.into_iter().collect::<Option<_>>()?;
        let weight = |own: &Trainees| (own.size.requests.cpu_millicores, own.size.requests.memory_mebibytes);
        trainees
            .sort_by(|one, other| weight(other).cmp(&weight(one)).then_with(|| one.size.name.cmp(&other.size.name)));
        Some(trainees)
    }

    fn trainee(&mut self, path: &KeyPath, name: &str, document: &TraineeDocument) -> Option<Trainees> {
        let count = self.count(&path.key("count"), document.count, 1, COUNT_MAX);
        let size = match TraineeSize::named(name) {
            Some(size) => self.named_size(path, document, size),
            None => self.own_size(path, name, document),
        };
        Some(Trainees { size: size?, count: count?.into() })
    }

    /// A size of the platform, which says itself what it requests.
    fn named_size(&mut self, path: &KeyPath, document: &TraineeDocument, size: TraineeSize) -> Option<TraineeSize> {
        let given = [("cpu", document.cpu.is_some()), ("memory", document.memory.is_some())];
        let (key, _) = given.into_iter().find(|(_, is_given)| *is_given).unzip();
        let Some(key) = key else { return Some(size) };
        let Amounts { cpu_millicores, memory_mebibytes, .. } = size.requests;
        let message =
            format!("`{size}` is a size of the platform, and requests {cpu_millicores}m CPU and {memory_mebibytes}Mi");
        self.error(
            SpecErrorKind::Conflict,
            &path.key(key),
            message,
            "leave it out, or give your own size another name",
        );
        None
    }

    /// A size of a user's own.
    fn own_size(&mut self, path: &KeyPath, name: &str, document: &TraineeDocument) -> Option<TraineeSize> {
        if document.cpu.is_none() && document.memory.is_none() {
            let names = TraineeSize::names().collect::<Vec<_>>().join(", ");
            let own = "a size of your own with `cpu` and `memory`";
            let hint = nearest(name, TraineeSize::names()).map_or_else(
                || format!("one of {names}; or {own}"),
                |near| format!("did you mean `{near}`? Else {own}"),
            );
            self.error(SpecErrorKind::InvalidValue, path, format!("`{name}` is not a size of the platform"), hint);
            return None;
        }
        let cpu = self.required(&path.key("cpu"), document.cpu);
        let cpu = cpu.and_then(|count| self.accept(&path.key("cpu"), Cpu::new(count)));
        let memory = self.required(&path.key("memory"), document.memory.as_deref());
        let memory = memory.and_then(|text| self.accept(&path.key("memory"), text.parse::<Memory>()));
        let requests = Amounts::pod(u64::from(cpu?.get()) * 1000, memory?.mebibytes());
        Some(TraineeSize { name: name.to_owned(), requests })
    }
}
