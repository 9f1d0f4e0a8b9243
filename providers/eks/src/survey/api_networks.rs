//! From where `api_access = "auto"` lets the Kubernetes API be reached.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::{AsyncSleep, TokioSleep};
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use howso_infra_core::spec::ApiAccess;
use howso_infra_core::{Observed, ResourceId, Value};
use ipnet::{IpNet, Ipv4Net};

use super::{Notes, Survey};
use crate::clients::TLS;

/// How long the address service has for its answer: a cluster without a public endpoint is better than a long wait.
const LIMIT: Duration = Duration::from_secs(3);

/// The longest answer that is read: an address and a line end, with room to spare.
const ANSWER_BYTES_MAX: usize = 64;

/// Blocks that are never seen on the internet, for which the standard library has no word (IANA IPv4 Special-Purpose Address
/// Registry): this network, shared by providers, protocol assignments, benchmarks, reserved.
const SPECIAL: [Ipv4Net; 5] = [
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];

impl Survey<'_> {
    /// The networks for `auto`; none for a private endpoint, and for any other choice, which says its own.
    ///
    /// Decided once: what the control plane has is kept, so that it depends on nobody's place whether a cluster is as wanted.
    /// An endpoint open to everybody is no such decision.
    pub(super) async fn api_networks(&self) -> (Vec<IpNet>, Notes) {
        let mut notes = Notes::default();
        if self.spec.api_access != ApiAccess::Auto {
            return (Vec::new(), notes);
        }
        let cluster = self.observation.one(&ResourceId::new("eks/cluster", "main"));
        let kept = cluster.map(networks).filter(|networks| !is_everybody(networks));
        if let Some(networks) = kept {
            notes.warnings.extend(networks.is_empty().then(|| private_warning("")));
            return (networks, notes);
        }
        let address = own_address(self.options.address_service(), LIMIT).await;
        let service = host(self.options.address_service());
        match address {
            Ok(address) => {
                notes.explanations.push(format!(
                    "kubernetes.api_access: the Kubernetes API will be reachable from {address}, where {service} sees this \
                     machine, and from inside the VPC"
                ));
                (vec![IpAddr::from(address).into()], notes)
            }
            Err(reason) => {
                notes
                    .warnings
                    .push(private_warning(&format!("{service} did not tell this machine's address ({reason}), so ")));
                (Vec::new(), notes)
            }
        }
    }
}

/// The host of a URL, which is what a person knows it by.
fn host(service: &str) -> String {
    let url = url::Url::parse(service).ok();
    url.as_ref().and_then(url::Url::host_str).unwrap_or(service).to_owned()
}

fn private_warning(why: &str) -> String {
    format!(
        "{why}the Kubernetes API is reachable only from inside the VPC; name your own addresses in kubernetes.api_access to reach \
         it from elsewhere"
    )
}

/// The networks from which the endpoint of an observed cluster is reached.
fn networks(cluster: &Observed) -> Vec<IpNet> {
    let is_public = cluster.attributes.get("endpoint_public") == Some(&Value::Bool(true));
    let cidrs = cluster.attributes.get("public_access_cidrs").filter(|_| is_public).and_then(Value::as_list);
    cidrs.into_iter().flatten().filter_map(|cidr| cidr.as_text()?.parse().ok()).collect()
}

/// Whether networks cover all addresses of a family, however they are cut.
fn is_everybody(networks: &[IpNet]) -> bool {
    ApiAccess::from_networks(networks.to_vec()) == ApiAccess::Open
}

/// Asks a service that answers with the address from which it was asked.
async fn own_address(service: &str, limit: Duration) -> Result<Ipv4Addr, String> {
    let answer = Timeout::new(ask(service), TokioSleep::new().sleep(limit)).await;
    let text = answer.map_err(|_| format!("no answer within {} s", limit.as_secs_f64()))??;
    match text.trim().parse() {
        Ok(address) if is_public(address) => Ok(address),
        Ok(_) | Err(_) => Err("its answer is no public IPv4 address".to_owned()),
    }
}

/// Sends one plain request, without credentials and following nothing, and reads the beginning of the answer.
async fn ask(service: &str) -> Result<String, String> {
    let connector = Connector::builder().tls_provider(TLS).build();
    let request = HttpRequest::get(service).map_err(|error| error.to_string())?;
    let answer = connector.call(request).await.map_err(|_| "it could not be asked".to_owned())?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(format!("its answer has the status {status}"));
    }
    let (mut body, mut bytes) = (ByteStream::new(answer.into_body()), Vec::new());
    while let Some(part) = body.try_next().await.map_err(|_| "its answer broke off".to_owned())? {
        bytes.extend_from_slice(&part);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(format!("its answer is longer than {ANSWER_BYTES_MAX} bytes"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether an address can be seen on the internet.
fn is_public(address: Ipv4Addr) -> bool {
    let is_local = address.is_private() || address.is_loopback() || address.is_link_local();
    !is_local && !address.is_multicast() && !SPECIAL.iter().any(|block| block.contains(&address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Answer, Server};

    async fn told(answer: fn() -> Answer) -> Result<Ipv4Addr, String> {
        own_address(&Server::start(move |_| answer()).url(), Duration::from_millis(300)).await
    }

    fn text(body: &str) -> Answer {
        Answer::Status(200, body.to_owned())
    }

    #[tokio::test]
    async fn a_service_tells_the_address_or_it_is_not_known() {
        assert_eq!(told(|| text("198.51.100.7\n")).await, Ok(Ipv4Addr::new(198, 51, 100, 7)));
        let no_address = Err("its answer is no public IPv4 address".to_owned());
        assert_eq!(told(|| text("<html>sign in</html>")).await, no_address);
        assert_eq!(told(|| text("2001:db8::1\n")).await, no_address);
        assert_eq!(told(|| text("198.51.100.7\n198.51.100.8\n")).await, no_address);
        let long = Err("its answer is longer than 64 bytes".to_owned());
        assert_eq!(told(|| text(&format!("198.51.100.7{}", " ".repeat(1 << 20)))).await, long);
        assert_eq!(told(|| text("198.51.100.7, 10.0.0.1\n")).await, no_address);
        for local in [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.0.1",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "192.0.0.8",
            "198.19.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!is_public(local.parse().unwrap()), "{local}");
        }
        assert!(is_public("100.128.0.1".parse().unwrap()));
        let refused = |status| Err(format!("its answer has the status {status}"));
        assert_eq!(told(|| Answer::Status(301, "198.51.100.7".to_owned())).await, refused(301));
        assert_eq!(told(|| Answer::Status(500, String::new())).await, refused(500));
        assert_eq!(told(|| Answer::Closed).await, Err("it could not be asked".to_owned()));
        assert_eq!(told(|| Answer::Silence).await, Err("no answer within 0.3 s".to_owned()));
    }
}
