//! What goes wrong on purpose, and what was called.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::account::Chance;
use crate::error::ApiError;
use crate::kubernetes;
use crate::model::{SERVICES, ShapeKind};

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The service says that it cannot be reached, and has done nothing.
    Unavailable,
    /// The service says that it was called too often, and has done nothing.
    Throttled,
    /// The connection breaks before the service has done anything.
    NeverArrives,
    /// The service has done what was asked, and says that it failed.
    FailsAfterwards,
    /// The service has done what was asked, and the connection breaks before the answer arrives.
    AnswerLost,
    /// The service accepts, and what was asked for fails after a while: there is no capacity for a node group, an add-on cannot be
    /// installed, a control plane cannot be made.
    FailsLater,
    /// The service removes a node group, and the network add-on leaves an interface of one of its nodes behind.
    LeavesInterface,
    /// The service says that a quota is used up, and has done nothing. Before the next run, somebody has had it raised.
    QuotaExceeded,
    /// The service says that the credentials have expired, and has done nothing.
    Expired,
    /// The caller dies before the service has done anything.
    DiesBefore,
    /// The caller dies after the service has done what was asked, and before the answer arrives.
    DiesAfter,
    /// The caller dies after the answer, before its next call.
    DiesAnswered,
    /// As [`Fault::DiesAfter`], and its journal is lost with it.
    LosesJournal,
    /// As [`Fault::DiesAfter`], in the middle of writing to its journal.
    TearsJournal,
    /// The service answers a read as things were a while before: what was made since does not exist for it.
    OutOfDate,
    /// The answer to a read has values and members that no model knows.
    Unfamiliar,
    /// A read that comes in pages begins with an empty one.
    EmptyPage,
}

/// How old an answer is that is out of date: as long as the field has seen lists of EC2 and roles of IAM lag behind.
pub(crate) const OUT_OF_DATE_SECS: i64 = 30;

/// To which calls a fault can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Concerns {
    Changes,
    Reads,
    Both,
}

/// The calls whose work is done only after a while, and can fail in between.
const FAILING_LATER: [&str; 3] = ["eks:CreateAddon", "eks:CreateCluster", "eks:CreateNodegroup"];

/// The call after which something can be left behind.
const LEAVING: &str = "eks:DeleteNodegroup";

/// The calls that use up a quota, and how their services say that there is none left:
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html> and the models of the others.
const QUOTAS: [(&str, &str); 12] = [
    ("ec2:AllocateAddress", "AddressLimitExceeded"),
    ("ec2:CreateInternetGateway", "InternetGatewayLimitExceeded"),
    ("ec2:CreateNatGateway", "NatGatewayLimitExceeded"),
    ("ec2:CreateRouteTable", "RouteTableLimitExceeded"),
    ("ec2:CreateSecurityGroup", "SecurityGroupLimitExceeded"),
    ("ec2:CreateSubnet", "SubnetLimitExceeded"),
    ("ec2:CreateVpc", "VpcLimitExceeded"),
    ("ec2:RunInstances", "VcpuLimitExceeded"),
    ("eks:CreateCluster", "ResourceLimitExceededException"),
    ("eks:CreateNodegroup", "ResourceLimitExceededException"),
    ("iam:CreateInstanceProfile", "LimitExceeded"),
    ("iam:CreateRole", "LimitExceeded"),
];

/// The call with which something goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The call of this number, counted from 0 over all services and over the calls alone that change something.
    MutatingCall(usize),
    /// The call of this number, counted from 0, of one operation.
    Operation {
        /// The service and the operation, for example `ec2:CreateVpc`.
        name: String,
        /// The number.
        number: usize,
    },
    /// So many calls of a hundred, drawn from the seed.
    Share(u8),
}

/// Something that goes wrong with a call. As text: `answer-lost@12` is the twelfth call that changes something,
/// `throttled@eks:DescribeCluster` the first call of an operation and `throttled@eks:DescribeCluster#3` the third; `throttled@5%` are
/// five calls of a hundred.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlannedFault {
    /// What goes wrong.
    pub fault: Fault,
    /// With which call.
    pub place: Place,
}

/// A text that is no planned fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownFault {
    /// What is wrong with it.
    pub message: String,
    /// What is accepted.
    pub accepted: String,
}

/// The caller is no more, because of this.
#[derive(Debug)]
pub(crate) struct Died(pub(crate) Fault);

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service and the operation, for example `ec2:CreateVpc`.
    pub name: String,
    /// Whether it changes anything.
    pub mutates: bool,
    /// When it came, in the time of the emulated cloud.
    pub time: Timestamp,
}

/// The calls so far, and what is to go wrong with later ones.
#[derive(Debug)]
pub(crate) struct Faults {
    /// Says which calls belong to a share.
    chance: Chance,
    calls: Vec<Call>,
    mutating: usize,
    of_operation: BTreeMap<String, usize>,
    planned: BTreeMap<Place, Fault>,
    shares: Vec<(u8, Fault)>,
    /// How many calls came too often, by the limits of the services.
    throttled: usize,
    /// Whether the caller dies before its next call.
    is_doomed: bool,
}

impl Fault {
    /// All there are.
    pub const ALL: [Self; 17] = [
        Self::Unavailable,
        Self::Throttled,
        Self::NeverArrives,
        Self::FailsAfterwards,
        Self::AnswerLost,
        Self::FailsLater,
        Self::LeavesInterface,
        Self::QuotaExceeded,
        Self::Expired,
        Self::DiesBefore,
        Self::DiesAfter,
        Self::DiesAnswered,
        Self::LosesJournal,
        Self::TearsJournal,
        Self::OutOfDate,
        Self::Unfamiliar,
        Self::EmptyPage,
    ];

    /// All that can happen to a call that changes something, whichever it is.
    pub fn of_changes() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|fault| fault.concerns() != Concerns::Reads)
    }

    fn concerns(self) -> Concerns {
        match self {
            Self::FailsAfterwards
            | Self::FailsLater
            | Self::LeavesInterface
            | Self::QuotaExceeded
            | Self::LosesJournal
            | Self::TearsJournal => Concerns::Changes,
            Self::OutOfDate | Self::Unfamiliar | Self::EmptyPage => Concerns::Reads,
            Self::Unavailable
            | Self::Throttled
            | Self::NeverArrives
            | Self::AnswerLost
            | Self::Expired
            | Self::DiesBefore
            | Self::DiesAfter
            | Self::DiesAnswered => Concerns::Both,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
            Self::NeverArrives => "never-arrives",
            Self::FailsAfterwards => "fails-afterwards",
            Self::AnswerLost => "answer-lost",
            Self::FailsLater => "fails-later",
            Self::LeavesInterface => "leaves-interface",
            Self::QuotaExceeded => "quota-exceeded",
            Self::Expired => "expired",
            Self::DiesBefore => "dies-before",
            Self::DiesAfter => "dies-after",
            Self::DiesAnswered => "dies-answered",
            Self::LosesJournal => "loses-journal",
            Self::TearsJournal => "tears-journal",
            Self::OutOfDate => "out-of-date",
            Self::Unfamiliar => "unfamiliar",
            Self::EmptyPage => "empty-page",
        }
    }

    /// What happens.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Unavailable => "the service says that it cannot be reached, and has done nothing",
            Self::Throttled => "the service says that it was called too often, and has done nothing",
            Self::NeverArrives => "the connection breaks before the service has done anything",
            Self::FailsAfterwards => "the service does what was asked, and says that it failed",
            Self::AnswerLost => "the service does what was asked, and the connection breaks before the answer arrives",
            Self::FailsLater => "the service accepts, and the node group, add-on or control plane fails after a while",
            Self::LeavesInterface => {
                "the service removes a node group, and the network add-on leaves an interface of a node behind"
            }
            Self::QuotaExceeded => {
                "the service says that a quota is used up, and has done nothing; it is raised before the next run"
            }
            Self::Expired => "the service says that the credentials have expired, and has done nothing",
            Self::DiesBefore => "the program dies before the service has done anything",
            Self::DiesAfter => "the program dies after the service has done what was asked, before the answer arrives",
            Self::DiesAnswered => "the program dies after the answer, before its next call",
            Self::LosesJournal => "as dies-after, and the journal is lost with it",
            Self::TearsJournal => "as dies-after, in the middle of writing to the journal",
            Self::OutOfDate => "a read is answered as things were 30 s before",
            Self::Unfamiliar => "the answer to a read has states and members that nobody knows",
            Self::EmptyPage => "a read that comes in pages begins with an empty one",
        }
    }

    /// Whether it can happen to a call of this name, which changes something or does not.
    pub fn applies_to(self, call: &str, mutates: bool) -> bool {
        let concerned = match self.concerns() {
            Concerns::Changes => mutates,
            Concerns::Reads => !mutates,
            Concerns::Both => true,
        };
        concerned
            && match self {
                Self::FailsLater => FAILING_LATER.contains(&call),
                Self::LeavesInterface => call == LEAVING,
                Self::QuotaExceeded => QUOTAS.iter().any(|(limited, _)| *limited == call),
                // The API of a cluster answers from one store, in words that are its objects' own. So does S3.
                Self::OutOfDate | Self::Unfamiliar => !call.starts_with("kubernetes:") && !call.starts_with("s3:"),
                Self::EmptyPage => comes_in_pages(call),
                _ => true,
            }
    }

    /// Whether the service does what it was asked for.
    pub(crate) fn commits(self) -> bool {
        !matches!(
            self,
            Self::Unavailable
                | Self::Throttled
                | Self::NeverArrives
                | Self::QuotaExceeded
                | Self::Expired
                | Self::DiesBefore
        )
    }

    /// Whether the caller gets to see the answer.
    pub(crate) fn is_answered(self) -> bool {
        matches!(
            self,
            Self::DiesAnswered
                | Self::FailsLater
                | Self::LeavesInterface
                | Self::OutOfDate
                | Self::Unfamiliar
                | Self::EmptyPage
        )
    }

    /// Whether the caller dies at once.
    pub(crate) fn kills(self) -> bool {
        matches!(self, Self::DiesBefore | Self::DiesAfter | Self::LosesJournal | Self::TearsJournal)
    }

    /// What the service says of a call; nothing when the connection breaks.
    pub(crate) fn says(self, call: &str) -> Option<ApiError> {
        let (service, _) = call.split_once(':').unwrap_or((call, ""));
        match self {
            Self::Unavailable => {
                Some(ApiError::new("ServiceUnavailable", "The service is unavailable.").with_status(503))
            }
            Self::Throttled if service == "ec2" => {
                Some(ApiError::new("RequestLimitExceeded", "Request limit exceeded.").with_status(503))
            }
            Self::Throttled if service == "s3" => {
                Some(ApiError::new("SlowDown", "Please reduce your request rate.").with_status(503))
            }
            Self::Throttled => Some(ApiError::new("ThrottlingException", "Rate exceeded").with_status(429)),
            Self::FailsAfterwards => Some(ApiError::internal("An internal error has occurred")),
            Self::QuotaExceeded => {
                let (_, code) = QUOTAS.iter().find(|(limited, _)| *limited == call)?;
                Some(ApiError::new(*code, "The maximum number has been reached."))
            }
            // <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html> and the other services' common errors.
            Self::Expired => {
                let (code, status) = match service {
                    "ec2" => ("RequestExpired", 400),
                    "eks" | "servicequotas" => ("ExpiredTokenException", 403),
                    "s3" => ("ExpiredToken", 400),
                    _ => ("ExpiredToken", 403),
                };
                let message = "The security token included in the request is expired";
                Some(ApiError::new(code, message).with_status(status))
            }
            _ => None,
        }
    }
}

impl PlannedFault {
    /// What is wrong with a text that does not say with which call.
    pub fn unplaced(text: &str) -> UnknownFault {
        UnknownFault {
            message: format!("`{text}` does not say with which call"),
            accepted: "answer-lost@12 (the call that changes something of this number), answer-lost@ec2:CreateVpc (the first of an \
                       operation), answer-lost@ec2:CreateVpc#2 and throttled@5% (of all calls, 1 to 100)"
                .to_owned(),
        }
    }

    /// The same, counted from after these calls.
    #[must_use]
    pub fn after(self, calls: &[Call]) -> Self {
        let place = match self.place {
            Place::Share(percent) => Place::Share(percent),
            Place::MutatingCall(number) => {
                Place::MutatingCall(number + calls.iter().filter(|call| call.mutates).count())
            }
            Place::Operation { name, number } => {
                let before = calls.iter().filter(|call| call.name == name).count();
                Place::Operation { name, number: number + before }
            }
        };
        Self { place, ..self }
    }
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = self.fault.name();
        match &self.place {
            Place::MutatingCall(number) => write!(formatter, "{fault}@{}", number + 1),
            Place::Share(percent) => write!(formatter, "{fault}@{percent}%"),
            Place::Operation { name, number } => write!(formatter, "{fault}@{name}#{}", number + 1),
        }
    }
}

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let accepted = || Self::ALL.map(Self::name).join(", ");
        let unknown = || UnknownFault { message: format!("`{text}` is no fault"), accepted: accepted() };
        Self::ALL.into_iter().find(|known| known.name() == text).ok_or_else(unknown)
    }
}

impl FromStr for PlannedFault {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let form = || Self::unplaced(text);
        let (fault, place) = text.split_once('@').ok_or_else(form)?;
        let fault: Fault = fault.parse()?;
        let from_one = |text: &str| text.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        if let Some(number) = from_one(place) {
            if fault.concerns() == Concerns::Reads {
                return Err(misplaced(fault, place));
            }
            return Ok(Self { fault, place: Place::MutatingCall(number) });
        }
        if let Some(percent) = place.strip_suffix('%') {
            let percent = percent.parse().ok().filter(|percent| (1..=100).contains(percent)).ok_or_else(form)?;
            return Ok(Self { fault, place: Place::Share(percent) });
        }
        let (name, number) = place.split_once('#').unwrap_or((place, "1"));
        let (service, operation) = name.split_once(':').ok_or_else(form)?;
        let services = || UnknownFault {
            message: format!("no service `{service}` is emulated"),
            accepted: SERVICES.keys().copied().chain(["kubernetes"]).collect::<Vec<_>>().join(", "),
        };
        let number = from_one(number).ok_or_else(form)?;
        let planned = Self { fault, place: Place::Operation { name: name.to_owned(), number } };
        if service == "kubernetes" {
            let unknown = |accepted| UnknownFault { message: format!("no call `{operation}` is emulated"), accepted };
            let mutates = kubernetes::check_call(operation).map_err(unknown)?;
            return if fault.applies_to(name, mutates) { Ok(planned) } else { Err(misplaced(fault, name)) };
        }
        let model = SERVICES.get(service).ok_or_else(services)?;
        if !model.operations.contains_key(operation) {
            let accepted = model.operations.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(UnknownFault {
                message: format!("no operation `{operation}` of {service} is emulated"),
                accepted,
            });
        }
        if fault.applies_to(name, mutates(operation)) { Ok(planned) } else { Err(misplaced(fault, name)) }
    }
}

fn misplaced(fault: Fault, name: &str) -> UnknownFault {
    let accepted = match fault {
        Fault::FailsLater => FAILING_LATER.join(", "),
        Fault::LeavesInterface => LEAVING.to_owned(),
        Fault::QuotaExceeded => QUOTAS.map(|(limited, _)| limited).join(", "),
        Fault::EmptyPage => "a read that comes in pages, for example ec2:DescribeVpcs".to_owned(),
        _ => match fault.concerns() {
            Concerns::Reads => "a call to AWS that reads, for example eks:DescribeCluster".to_owned(),
            Concerns::Changes | Concerns::Both => "a call that changes something, for example ec2:CreateVpc".to_owned(),
        },
    };
    UnknownFault { message: format!("{} cannot happen to `{name}`", fault.name()), accepted }
}

/// Whether an operation of AWS changes anything.
pub(crate) fn mutates(operation: &str) -> bool {
    !["Describe", "Get", "List", "Simulate"].iter().any(|prefix| operation.starts_with(prefix))
}

/// Whether an operation of AWS removes something. Tags are no things of their own.
pub(crate) fn removes(operation: &str) -> bool {
    operation != "DeleteTags" && ["Delete", "Release", "Terminate"].iter().any(|prefix| operation.starts_with(prefix))
}

/// The members by which a list says that it goes on.
pub(crate) const PAGE_TOKENS: [&str; 3] = ["nextToken", "NextToken", "Marker"];

/// Whether the answer to a call says whether it goes on.
fn comes_in_pages(call: &str) -> bool {
    let Some((service, operation)) = call.split_once(':') else { return false };
    let Some(model) = SERVICES.get(service) else { return false };
    let output = model.operations.get(operation).and_then(|operation| operation.output.as_ref());
    output.is_some_and(|output| match &model.shape(output).kind {
        ShapeKind::Structure { members, .. } => PAGE_TOKENS.iter().any(|token| members.contains_key(*token)),
        _ => false,
    })
}

impl fmt::Display for UnknownFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}; accepted: {}", self.message, self.accepted)
    }
}

impl std::error::Error for UnknownFault {}

impl Fault {
    /// What the API of a cluster says: code, reason and message. Nothing when the connection breaks.
    pub(crate) fn status(self) -> Option<(u16, &'static str, &'static str)> {
        match self {
            Self::Unavailable => {
                Some((503, "ServiceUnavailable", "the server is currently unable to handle the request"))
            }
            Self::Throttled => Some((429, "TooManyRequests", "too many requests, please try again later")),
            Self::FailsAfterwards => {
                Some((500, "InternalError", "Internal error occurred: etcdserver: request timed out"))
            }
            Self::Expired => Some((401, "Unauthorized", "Unauthorized")),
            _ => None,
        }
    }
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        let (calls, of_operation) = (Vec::new(), BTreeMap::new());
        let (planned, shares) = (BTreeMap::new(), Vec::new());
        Self {
            chance: Chance::new(seed),
            calls,
            mutating: 0,
            of_operation,
            planned,
            shares,
            throttled: 0,
            is_doomed: false,
        }
    }

    /// Lets something go wrong.
    pub(crate) fn plan(&mut self, PlannedFault { fault, place }: PlannedFault) {
        match place {
            Place::Share(percent) => self.shares.push((percent, fault)),
            place => drop(self.planned.insert(place, fault)),
        }
    }

    /// Lets nothing go wrong any more.
    pub(crate) fn forget(&mut self) {
        self.planned.clear();
        self.shares.clear();
        self.is_doomed = false;
    }

    /// Notes a call, and says what goes wrong with it; [`Err`] when the caller has died meanwhile.
    pub(crate) fn note(&mut self, name: &str, mutates: bool, time: Timestamp) -> Result<Option<Fault>, Died> {
        if std::mem::take(&mut self.is_doomed) {
            return Err(Died(Fault::DiesAnswered));
        }
        // What is planned for a call of some number may not be possible with the call that gets it.
        let fault = self.find(name, mutates, time).filter(|fault| fault.applies_to(name, mutates));
        self.is_doomed = fault == Some(Fault::DiesAnswered);
        Ok(fault)
    }

    fn find(&mut self, name: &str, mutates: bool, time: Timestamp) -> Option<Fault> {
        self.calls.push(Call { name: name.to_owned(), mutates, time });
        let count = self.of_operation.entry(name.to_owned()).or_default();
        let place = Place::Operation { name: name.to_owned(), number: *count };
        *count += 1;
        let (chance, shares) = (&mut self.chance, &self.shares);
        // One draw for each share, so that what happens to one call does not depend on what can happen to another.
        let drawn = shares.iter().map(|(percent, fault)| (chance.below(100) < u32::from(*percent), *fault));
        let drawn: Vec<(bool, Fault)> = drawn.collect();
        let of_share = drawn.into_iter().find(|(is_drawn, fault)| *is_drawn && fault.applies_to(name, mutates));
        let of_operation = self.planned.remove(&place).or(of_share.map(|(_, fault)| fault));
        if !mutates {
            return of_operation;
        }
        let number = self.mutating;
        self.mutating += 1;
        self.planned.remove(&Place::MutatingCall(number)).or(of_operation)
    }

    /// What goes wrong with a call for which there are not enough tokens.
    pub(crate) fn throttled(&mut self, has_room: bool) -> Option<Fault> {
        (!has_room).then(|| {
            self.throttled += 1;
            Fault::Throttled
        })
    }

    /// How many calls came too often.
    pub(crate) fn throttled_count(&self) -> usize {
        self.throttled
    }

    /// Whether some answer will be out of date.
    pub(crate) fn need_history(&self) -> bool {
        let of_shares = self.shares.iter().map(|(_, fault)| fault);
        self.planned.values().chain(of_shares).any(|fault| *fault == Fault::OutOfDate)
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planned_fault_reads_as_it_is_written() {
        for text in ["answer-lost@12", "throttled@eks:DescribeCluster#3"] {
            assert_eq!(text.parse::<PlannedFault>().map(|planned| planned.to_string()), Ok(text.to_owned()));
        }
        let first: PlannedFault = "unavailable@ec2:CreateVpc".parse().expect("the first call of an operation");
        assert_eq!(first.place, Place::Operation { name: "ec2:CreateVpc".to_owned(), number: 0 });
    }

    #[test]
    fn what_is_no_planned_fault_is_told_with_what_is_accepted() {
        for (text, accepted) in [
            ("answer-lost", "answer-lost@12"),
            ("answer-lost@0", "answer-lost@12"),
            ("answer-lost@ec2:CreateVpc#0", "answer-lost@12"),
            ("meteor@3", "unavailable"),
            ("throttled@rds:CreateDBCluster", "ec2"),
            ("throttled@ec2:CreateVcp", "CreateVpc"),
            ("fails-later@ec2:CreateVpc", "eks:CreateNodegroup"),
            ("quota-exceeded@ec2:CreateRoute", "ec2:AllocateAddress"),
            ("leaves-interface@eks:DeleteCluster", "eks:DeleteNodegroup"),
            ("out-of-date@3", "eks:DescribeCluster"),
            ("out-of-date@ec2:CreateVpc", "eks:DescribeCluster"),
            ("empty-page@eks:DescribeCluster", "ec2:DescribeVpcs"),
            ("loses-journal@eks:DescribeCluster", "ec2:CreateVpc"),
        ] {
            let error = text.parse::<PlannedFault>().expect_err(text);
            assert!(error.accepted.contains(accepted), "{text}: {error}");
        }
    }
}
