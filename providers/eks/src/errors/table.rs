//! What the answers of EC2, EKS, IAM, Auto Scaling, STS and Service Quotas mean: the only place where it is decided.
//!
//! Sources: the services' models (botocore), the EC2 and IAM error references, and what other provisioners had to learn
//! (cloud facts 1.4, reliability facts A2 and A3).

/// An answer with an error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

/// What an answer means, before it is known what the call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Transient,
    Throttled,
    Ambiguous,
    Busy,
    NotYetVisible,
    NotFound,
    Dependency,
    Conflict,
    Quota,
    Capacity,
    Auth,
    Permission,
    Invalid,
    Unknown,
}

/// Which codes a row is about.
#[derive(Clone, Copy, Debug)]
enum Code {
    Any,
    Is(&'static [&'static str]),
    StartsWith(&'static str),
    EndsWith(&'static [&'static str]),
}

#[derive(Clone, Copy, Debug)]
struct Row {
    /// From and to which status, both included.
    status: (u16, u16),
    code: Code,
    /// One of these is part of the message; empty for any message.
    message: &'static [&'static str],
    meaning: Meaning,
}

const ANY: (u16, u16) = (0, u16::MAX);
const CLIENT: (u16, u16) = (400, 499);
const SERVER: (u16, u16) = (500, 599);

const fn row(status: (u16, u16), code: Code, message: &'static [&'static str], meaning: Meaning) -> Row {
    Row { status, code, message, meaning }
}

/// The first row that fits decides.
const ROWS: &[Row] = &[
    // EC2 answers `RequestLimitExceeded` with 503.
    row(ANY, Code::Is(THROTTLING), &[], Meaning::Throttled),
    row((429, 429), Code::Any, &[], Meaning::Throttled),
    // An elastic IP that a NAT gateway still holds cannot be released; EC2 calls that a lack of permission.
    row(CLIENT, Code::Is(&["AuthFailure"]), &["permission to access the specified resource"], Meaning::Dependency),
    row(CLIENT, Code::Is(CREDENTIALS), &[], Meaning::Auth),
    row(CLIENT, Code::Is(PERMISSION), &[], Meaning::Permission),
    // A role, or its policies, that IAM has not spread yet; the texts are those that the Terraform provider waits for.
    row(
        CLIENT,
        Code::Is(&["InvalidParameterException", "InvalidRequestException"]),
        PROPAGATION,
        Meaning::NotYetVisible,
    ),
    // EC2 learns of an instance profile, and of the role in it, some seconds after IAM.
    row(CLIENT, Code::Is(&["InvalidParameterValue"]), PROFILE_PROPAGATION, Meaning::NotYetVisible),
    row(CLIENT, Code::Is(&["ResourceInUseException", "ResourceInUse"]), ATTACHED, Meaning::Dependency),
    row(CLIENT, Code::Is(&["ResourceInUseException", "ResourceInUse"]), RUNNING, Meaning::Busy),
    row(CLIENT, Code::Is(&["InvalidRequestException", "InvalidStateException"]), RUNNING, Meaning::Busy),
    row(CLIENT, Code::Is(BUSY), &[], Meaning::Busy),
    row(CLIENT, Code::Is(DEPENDENCY), &[], Meaning::Dependency),
    row(CLIENT, Code::Is(CONFLICT), &[], Meaning::Conflict),
    row(CLIENT, Code::EndsWith(&["AlreadyExists", "AlreadyExistsException"]), &[], Meaning::Conflict),
    // EKS and Auto Scaling have a second spelling each for what does not exist.
    row(CLIENT, Code::Is(&["ClientException"]), &["No cluster found for name"], Meaning::NotFound),
    row(
        CLIENT,
        Code::Is(&["ValidationError"]),
        &["name not found", "AutoScalingGroup not found", "does not exist"],
        Meaning::NotFound,
    ),
    row(CLIENT, Code::Is(&["NoSuchEntity", "NoSuchEntityException", "Gateway.NotAttached"]), &[], Meaning::NotFound),
    row(CLIENT, Code::EndsWith(&["NotFound", "NotFoundException"]), &[], Meaning::NotFound),
    row(CLIENT, Code::Is(CAPACITY), &[], Meaning::Capacity),
    row(CLIENT, Code::EndsWith(&["LimitExceeded", "LimitExceededException", "CountExceeded"]), &[], Meaning::Quota),
    row(CLIENT, Code::Is(INVALID), &[], Meaning::Invalid),
    row(CLIENT, Code::StartsWith("Invalid"), &[], Meaning::Invalid),
    row(CLIENT, Code::StartsWith("Unsupported"), &[], Meaning::Invalid),
    row(SERVER, Code::Is(CAPACITY), &[], Meaning::Capacity),
    row((503, 503), Code::Any, &[], Meaning::Transient),
    row((408, 408), Code::Any, &[], Meaning::Ambiguous),
    row(SERVER, Code::Any, &[], Meaning::Ambiguous),
];

const THROTTLING: &[&str] = &[
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];
const CREDENTIALS: &[&str] = &[
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
const PERMISSION: &[&str] =
    &["AccessDenied", "AccessDeniedException", "Blocked", "NotAuthorized", "OptInRequired", "UnauthorizedOperation"];
const PROPAGATION: &[&str] = &[
    "does not exist",
    "Error in role params",
    "Role could not be assumed because the trusted entity is not correct",
    "The provided role doesn't have the Amazon EKS Managed Policies associated",
    "IAM role's policy must include",
];
const PROFILE_PROPAGATION: &[&str] = &["Invalid IAM Instance Profile", "no associated IAM Roles"];
const ATTACHED: &[&str] = &["nodegroups attached", "attached"];
const RUNNING: &[&str] = &["in progress", "is currently", "not in ACTIVE", "not in an ACTIVE"];
const BUSY: &[&str] = &[
    "ConcurrentModification",
    "ConcurrentModificationException",
    "EntityTemporarilyUnmodifiable",
    "EntityTemporarilyUnmodifiableException",
    "IncorrectState",
    "OperationInProgress",
    "ResourceContention",
    "ResourceContentionFault",
    "ScalingActivityInProgress",
];
const DEPENDENCY: &[&str] = &[
    "DeleteConflict",
    "DeleteConflictException",
    "DependencyViolation",
    "InvalidIPAddress.InUse",
    "ResourceInUseFault",
];
const CONFLICT: &[&str] = &[
    "IdempotentParameterMismatch",
    "InvalidGroup.Duplicate",
    "InvalidSubnet.Conflict",
    "Resource.AlreadyAssociated",
    "ResourceInUseException",
];
const CAPACITY: &[&str] = &[
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "SpotMaxPriceTooLow",
];
const INVALID: &[&str] = &[
    "ClientException",
    // An instance that was to be stopped runs: somebody needs it.
    "IncorrectInstanceState",
    "MalformedPolicyDocument",
    "MalformedPolicyDocumentException",
    "MissingParameter",
    "UnknownParameter",
    "ValidationError",
    "ValidationException",
];

/// Finds the row of an answer.
pub(super) fn meaning(answer: Answer<'_>) -> Meaning {
    ROWS.iter().find(|row| row.fits(answer)).map_or(Meaning::Unknown, |row| row.meaning)
}

impl Row {
    fn fits(&self, answer: Answer<'_>) -> bool {
        let code = match self.code {
            Code::Any => true,
            Code::Is(codes) => codes.contains(&answer.code),
            Code::StartsWith(prefix) => answer.code.starts_with(prefix),
            Code::EndsWith(suffixes) => suffixes.iter().any(|suffix| answer.code.ends_with(suffix)),
        };
        let message = self.message.is_empty() || self.message.iter().any(|part| answer.message.contains(part));
        (self.status.0..=self.status.1).contains(&answer.status) && code && message
    }
}
