//! Errors as they come over a socket, and the table row by row.

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use howso_infra_core::{ErrorKind, OperationVerb, ProviderError};

use super::table::{Answer as Row, Meaning, meaning};
use super::{mutating, reading};
use crate::clients::Clients;
use crate::testing::{Answer, Server, clients, clients_with, ec2_error};

/// Status, code, message: what it means.
const TABLE: &[(u16, &str, &str, Meaning)] = &[
    (503, "RequestLimitExceeded", "Request limit exceeded.", Meaning::Throttled),
    (400, "Throttling", "Rate exceeded", Meaning::Throttled),
    (400, "ThrottlingException", "", Meaning::Throttled),
    (429, "TooManyRequestsException", "", Meaning::Throttled),
    (429, "", "", Meaning::Throttled),
    (503, "ServiceUnavailableException", "", Meaning::Transient),
    (503, "Unavailable", "", Meaning::Transient),
    (500, "ServerException", "", Meaning::Ambiguous),
    (500, "InternalError", "", Meaning::Ambiguous),
    (500, "InternalFailure", "", Meaning::Ambiguous),
    (500, "", "", Meaning::Ambiguous),
    (502, "", "", Meaning::Ambiguous),
    (504, "", "", Meaning::Ambiguous),
    (408, "RequestTimeout", "", Meaning::Ambiguous),
    (400, "AuthFailure", "AWS was not able to validate the provided access credentials", Meaning::Auth),
    (400, "AuthFailure", "You do not have permission to access the specified resource.", Meaning::Dependency),
    (403, "ExpiredToken", "", Meaning::Auth),
    (403, "ExpiredTokenException", "", Meaning::Auth),
    (400, "RequestExpired", "", Meaning::Auth),
    (403, "InvalidClientTokenId", "", Meaning::Auth),
    (403, "UnrecognizedClientException", "", Meaning::Auth),
    (403, "SignatureDoesNotMatch", "", Meaning::Auth),
    (403, "InvalidSignatureException", "", Meaning::Auth),
    (403, "AccessDenied", "", Meaning::Permission),
    (403, "AccessDeniedException", "", Meaning::Permission),
    (403, "UnauthorizedOperation", "", Meaning::Permission),
    (
        400,
        "InvalidParameterException",
        "Role with arn: x, could not be assumed because it does not exist",
        Meaning::NotYetVisible,
    ),
    (400, "InvalidParameterException", "Error in role params", Meaning::NotYetVisible),
    (
        400,
        "InvalidParameterException",
        "Role could not be assumed because the trusted entity is not correct",
        Meaning::NotYetVisible,
    ),
    (
        400,
        "InvalidParameterException",
        "The provided role doesn't have the Amazon EKS Managed Policies associated with it",
        Meaning::NotYetVisible,
    ),
    (
        400,
        "InvalidParameterException",
        "IAM role's policy must include the `ec2:DescribeSubnets` action",
        Meaning::NotYetVisible,
    ),
    (400, "InvalidParameterException", "Addon version specified is not supported", Meaning::Invalid),
    (409, "ResourceInUseException", "Cluster already exists with name: demo", Meaning::Conflict),
    (409, "ResourceInUseException", "NodeGroup already exists with name core-a", Meaning::Conflict),
    (409, "ResourceInUseException", "Cluster has nodegroups attached", Meaning::Dependency),
    (
        409,
        "ResourceInUseException",
        "Cannot VersionUpdate because cluster demo currently has update x in progress",
        Meaning::Busy,
    ),
    (400, "InvalidRequestException", "Cluster 'demo' is not in ACTIVE status", Meaning::Busy),
    (409, "ConcurrentModification", "", Meaning::Busy),
    (409, "EntityTemporarilyUnmodifiable", "", Meaning::Busy),
    (400, "ScalingActivityInProgress", "", Meaning::Busy),
    (400, "IncorrectState", "", Meaning::Busy),
    (400, "DependencyViolation", "The vpc 'vpc-1' has dependencies and cannot be deleted.", Meaning::Dependency),
    (409, "DeleteConflict", "", Meaning::Dependency),
    (400, "InvalidIPAddress.InUse", "", Meaning::Dependency),
    (409, "EntityAlreadyExists", "", Meaning::Conflict),
    (400, "InvalidLaunchTemplateName.AlreadyExistsException", "", Meaning::Conflict),
    (400, "RouteAlreadyExists", "", Meaning::Conflict),
    (
        400,
        "InvalidGroup.Duplicate",
        "The security group 'demo-client' already exists for VPC 'vpc-1'",
        Meaning::Conflict,
    ),
    (
        400,
        "InvalidParameterValue",
        "Value (demo) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN",
        Meaning::NotYetVisible,
    ),
    (400, "InvalidParameterValue", "IAM Instance Profile \"demo\" has no associated IAM Roles", Meaning::NotYetVisible),
    (400, "InvalidParameterValue", "Value (x) for parameter cidrBlock is invalid.", Meaning::Invalid),
    (400, "IncorrectInstanceState", "The instance 'i-1' is not in the 'stopped' state.", Meaning::Invalid),
    (400, "Resource.AlreadyAssociated", "", Meaning::Conflict),
    (400, "InvalidSubnet.Conflict", "", Meaning::Conflict),
    (400, "IdempotentParameterMismatch", "", Meaning::Conflict),
    (404, "ResourceNotFoundException", "No cluster found for name: demo.", Meaning::NotFound),
    (400, "ClientException", "No cluster found for name: demo.", Meaning::NotFound),
    (404, "NoSuchEntity", "", Meaning::NotFound),
    (400, "InvalidVpcID.NotFound", "", Meaning::NotFound),
    (400, "NatGatewayNotFound", "", Meaning::NotFound),
    (400, "InvalidLaunchTemplateId.NotFoundException", "", Meaning::NotFound),
    (400, "Gateway.NotAttached", "", Meaning::NotFound),
    (400, "ValidationError", "AutoScalingGroup name not found - null", Meaning::NotFound),
    (400, "ValidationError", "AutoScalingGroup not found - eks-worker", Meaning::NotFound),
    (400, "VpcLimitExceeded", "", Meaning::Quota),
    (400, "AddressLimitExceeded", "", Meaning::Quota),
    (400, "NatGatewayLimitExceeded", "", Meaning::Quota),
    (400, "ResourceLimitExceededException", "", Meaning::Quota),
    (409, "LimitExceeded", "", Meaning::Quota),
    (400, "MaxSpotInstanceCountExceeded", "", Meaning::Quota),
    (400, "InsufficientInstanceCapacity", "", Meaning::Capacity),
    (500, "InsufficientInstanceCapacity", "", Meaning::Capacity),
    (400, "UnsupportedAvailabilityZoneException", "", Meaning::Invalid),
    (400, "InvalidVpc.Range", "", Meaning::Invalid),
    (400, "InvalidAction", "", Meaning::Invalid),
    (400, "ValidationError", "1 validation error detected", Meaning::Invalid),
    (400, "MalformedPolicyDocument", "", Meaning::Invalid),
    (404, "", "", Meaning::Unknown),
    (400, "SomethingNew", "", Meaning::Unknown),
    (418, "", "", Meaning::Unknown),
];

#[test]
fn every_row_means_what_it_says() {
    for (status, code, message, expected) in TABLE {
        let row = Row { status: *status, code, message };
        assert_eq!(meaning(row), *expected, "{status} {code} {message}");
    }
}

async fn describe(clients: &Clients) -> ProviderError {
    clients.ec2.describe_vpcs().send().await.map_err(reading("ec2:DescribeVpcs")).unwrap_err()
}

async fn create(clients: &Clients) -> ProviderError {
    let answer = clients.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await;
    answer.map_err(mutating(OperationVerb::Create, "ec2:CreateVpc")).unwrap_err()
}

async fn delete(clients: &Clients) -> ProviderError {
    let answer = clients.ec2.delete_vpc().vpc_id("vpc-1").send().await;
    answer.map_err(mutating(OperationVerb::Delete, "ec2:DeleteVpc")).unwrap_err()
}

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    // Bound and closed again: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = create(&clients(&format!("http://127.0.0.1:{port}"))).await;
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn an_unknown_host_sent_nothing() {
    let error = create(&clients("http://no-such-host.invalid")).await;
    assert_eq!(error.kind, ErrorKind::Transient, "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_the_outcome_open() {
    let server = Server::start(|_| Answer::Closed);
    assert_eq!(create(&server.clients()).await.kind, ErrorKind::Ambiguous);
    assert_eq!(server.calls(), ["CreateVpc"], "no call is sent twice");
}

#[tokio::test]
async fn a_silent_server_leaves_the_outcome_open() {
    let server = Server::start(|_| Answer::Silence);
    assert_eq!(create(&server.clients()).await.kind, ErrorKind::Ambiguous);
    assert_eq!(server.calls(), ["CreateVpc"], "no call is sent twice");
}

#[tokio::test]
async fn a_page_of_html_is_classified_by_its_status() {
    let html = "<!doctype html> <title>oops</title>";
    for (status, expected) in [(500, ErrorKind::Ambiguous), (503, ErrorKind::Transient), (404, ErrorKind::Bug)] {
        let server = Server::start(move |_| Answer::Status(status, html.to_owned()));
        let error = create(&server.clients()).await;
        assert_eq!(error.kind, expected);
        assert!(error.message.contains("oops"), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_leaves_the_outcome_open() {
    let server = Server::start(|_| Answer::Status(200, "{}".to_owned()));
    assert_eq!(create(&server.clients()).await.kind, ErrorKind::Ambiguous);
}

#[tokio::test]
async fn what_does_not_exist_is_gone_for_a_deletion_and_not_visible_yet_for_a_creation() {
    let server = Server::start(|_| ec2_error(400, "InvalidVpcID.NotFound", "The vpc ID 'vpc-1' does not exist"));
    let clients = server.clients();
    assert_eq!(delete(&clients).await.kind, ErrorKind::Gone);
    assert_eq!(describe(&clients).await.kind, ErrorKind::Gone);
    let error = create(&clients).await;
    assert_eq!(error.kind, ErrorKind::NotYetVisible);
    assert_eq!(error.code.as_deref(), Some("InvalidVpcID.NotFound"));
    assert_eq!(error.request_id.as_deref(), Some("r-1"));
}

#[tokio::test]
async fn a_denial_names_the_action() {
    let message =
        "User: arn:aws:iam::1:user/x is not authorized to perform: iam:PassRole on resource: arn:aws:iam::1:role/y";
    let server = Server::start(move |_| ec2_error(403, "UnauthorizedOperation", message));
    assert_eq!(create(&server.clients()).await.kind, ErrorKind::Permission { action: "iam:PassRole".to_owned() });
    let server = Server::start(|_| ec2_error(403, "UnauthorizedOperation", "You are not authorized."));
    assert_eq!(create(&server.clients()).await.kind, ErrorKind::Permission { action: "ec2:CreateVpc".to_owned() });
}

#[tokio::test]
async fn the_canonical_request_of_a_signature_error_is_not_repeated() {
    let message = "The signature does not match.\n\nThe Canonical String was\nx-amz-security-token:CANARY";
    let server = Server::start(move |_| ec2_error(403, "SignatureDoesNotMatch", message));
    let error = create(&server.clients()).await;
    assert_eq!(error.kind, ErrorKind::Auth);
    assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
    assert!(error.hint.is_some());
}

#[derive(Debug)]
struct BrokenCredentials;

impl ProvideCredentials for BrokenCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::provider_error("helper program printed CANARY")))
    }
}

#[derive(Debug)]
struct SlowCredentials;

impl ProvideCredentials for SlowCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(std::future::pending())
    }
}

#[tokio::test]
async fn credentials_that_never_come_are_missing() {
    let error = create(&clients_with("http://127.0.0.1:9", SharedCredentialsProvider::new(SlowCredentials))).await;
    assert_eq!(error.kind, ErrorKind::Auth, "{error:?}");
}

#[tokio::test]
async fn credentials_that_cannot_be_had_are_told_without_details() {
    let provider = SharedCredentialsProvider::new(BrokenCredentials);
    let error = create(&clients_with("http://127.0.0.1:9", provider)).await;
    assert_eq!(error.kind, ErrorKind::Auth, "{error:?}");
    assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
}
