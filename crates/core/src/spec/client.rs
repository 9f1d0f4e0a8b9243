//! Building the machine for clients.

use serde::Serialize;

use crate::sizing::client::{memory_gibibytes, virtual_cpus};
use crate::spec::build::Builder;
use crate::spec::{ClientDocument, KeyPath, Machine, MachineDocument};

const PARALLEL_MAX: u32 = 1000;

/// The disk of a machine for clients, when nobody says it.
const DISK: &str = "100Gi";

/// A machine for clients of the platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientMachine {
    /// How many trainees are driven from it at the same time.
    pub parallel: u32,
    /// What it is made of.
    pub machine: Machine,
}

impl Builder<'_> {
    /// The machine for clients; [`None`] when none is wanted, also when it is wrong, which is reported.
    pub(crate) fn client(&mut self, document: &ClientDocument) -> Option<ClientMachine> {
        if *document == ClientDocument::default() {
            return None;
        }
        let path = KeyPath::dotted("client");
        let parallel = self.count(&path.key("parallel"), document.parallel, 1, PARALLEL_MAX)?;
        let MachineDocument { cpu, memory, architecture, disk, types } = document.machine.clone();
        let machine = MachineDocument {
            cpu: cpu.or(Some(virtual_cpus(parallel).into())),
            memory: memory.or_else(|| Some(format!("{}Gi", memory_gibibytes(parallel)))),
            architecture: architecture.or_else(|| Some("x86_64".to_owned())),
            disk: disk.or_else(|| Some(DISK.to_owned())),
            types,
        };
        let machine = self.machine(&path.key("machine"), &machine)?;
        Some(ClientMachine { parallel, machine })
    }
}
