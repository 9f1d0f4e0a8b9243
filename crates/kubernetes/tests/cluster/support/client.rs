//! The tests' own way to the API server, which the proxy does not see.

use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value as Json, json};

use super::server::{ADMIN_TOKEN, Server, server};

/// A client of the tests.
#[derive(Clone)]
pub(crate) struct Admin {
    client: kube::Client,
}

/// A client of the API server that sends the credentials of each request as they are.
pub(crate) async fn plain_client(server: &Server) -> kube::Client {
    let kubeconfig = json!({
        "clusters": [{ "name": "c", "cluster": {
            "server": server.url, "certificate-authority-data": server.certificate_authority,
        } }],
        "users": [{ "name": "c", "user": {} }],
        "contexts": [{ "name": "c", "context": { "cluster": "c", "user": "c" } }],
        "current-context": "c",
    });
    let kubeconfig = serde_json::from_value(kubeconfig).expect("the form is right");
    let options = kube::config::KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("the access is usable");
    config.default_retry = false;
    config.proxy_url = None;
    kube::Client::try_from(config).expect("a client can be made")
}

impl Admin {
    /// Connects, when the server is ready.
    pub(crate) async fn connect() -> Self {
        let admin = Self { client: plain_client(server()).await };
        for _ in 0..600 {
            if matches!(admin.send("GET", "/readyz", None, "").await, Ok((200, _))) {
                return admin;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        panic!("the API server is not ready after two minutes");
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Json>,
        content_type: &str,
    ) -> Result<(u16, Json), String> {
        let mut request =
            http::Request::builder().method(method).uri(path).header("authorization", format!("Bearer {ADMIN_TOKEN}"));
        if body.is_some() {
            request = request.header("content-type", content_type);
        }
        let body = body.map(ToString::to_string).unwrap_or_default().into_bytes();
        let request = request.body(Body::from(body)).map_err(|error| error.to_string())?;
        let answer = self.client.send(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    async fn must(&self, method: &str, path: &str, body: Option<&Json>, content_type: &str) -> Json {
        let (status, answer) = self.send(method, path, body, content_type).await.expect("the server answers");
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// An object; [`None`] when there is none.
    pub(crate) async fn get(&self, path: &str) -> Option<Json> {
        let (status, answer) = self.send("GET", path, None, "").await.expect("the server answers");
        (status == 200).then_some(answer)
    }

    pub(crate) async fn create(&self, collection: &str, object: &Json) -> Json {
        let path = format!("{collection}?fieldManager=somebody");
        self.must("POST", &path, Some(object), "application/json").await
    }

    /// Writes like a person with kubectl: a merge patch under a name of its own.
    pub(crate) async fn edit(&self, path: &str, change: &Json) -> Json {
        let path = format!("{path}?fieldManager=kubectl-edit");
        self.must("PATCH", &path, Some(change), "application/merge-patch+json").await
    }

    /// Like [`Admin::edit`], for what may be gone.
    pub(crate) async fn try_edit(&self, path: &str, change: &Json) {
        let path = format!("{path}?fieldManager=kubectl-edit");
        let _ = self.send("PATCH", &path, Some(change), "application/merge-patch+json").await;
    }

    pub(crate) async fn delete(&self, path: &str) {
        let now = json!({ "gracePeriodSeconds": 0 });
        let (status, answer) = self.send("DELETE", path, Some(&now), "application/json").await.expect("an answer");
        assert!(matches!(status, 200 | 202 | 404), "DELETE {path}: {status} {answer}");
    }

    /// Deletes a namespace with what is in it, as the controller would.
    pub(crate) async fn delete_namespace(&self, name: &str) {
        let path = format!("/api/v1/namespaces/{name}");
        if self.get(&path).await.is_none() {
            return;
        }
        self.delete(&path).await;
        let finalize = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
        let finalize_path = format!("{path}/finalize");
        // It may be gone by now.
        let _ = self.send("PUT", &finalize_path, Some(&finalize), "application/json").await;
    }

    /// Every object of a collection.
    pub(crate) async fn list(&self, collection: &str) -> Vec<Json> {
        let answer = self.get(collection).await.unwrap_or_default();
        answer["items"].as_array().cloned().unwrap_or_default()
    }

    /// Everything that the program under test has changed so far: verb, path and status.
    pub(crate) async fn writes(&self) -> Vec<String> {
        // A server writes it down before it answers; one more request makes sure that the last one is there.
        self.get("/version").await;
        (server().writes)()
    }
}
