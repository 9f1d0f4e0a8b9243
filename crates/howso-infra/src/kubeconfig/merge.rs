//! Merging: our entries into a file of the user's, and out of it again.

use howso_infra_core::provider::Access;
use serde_json::{Value, json};

use super::text::{self, Change, Splice};
use super::{MARK, SECTIONS, contents, entry, render};

/// Why a kubeconfig was left alone.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// It is not YAML, or not YAML that means the same as some JSON.
    #[error("the kubeconfig cannot be read")]
    Syntax(#[source] Box<serde_saphyr::Error>),
    /// It is something else, or a version that this program does not know.
    #[error("the file is not a kubeconfig: {0}")]
    NotAKubeconfig(String),
    /// An entry with our name was not written by this program.
    #[error("`{name}` is already in the kubeconfig's {section}, and was not put there by howso-infra")]
    NotOurs {
        /// The list it is in.
        section: &'static str,
        /// Its name.
        name: String,
    },
}

/// Puts our entries into a kubeconfig, replacing those of an earlier merge and keeping everything else.
///
/// The text outside our entries stays as it is, comments included, where the lists are written as kubectl writes them;
/// otherwise the whole file is written anew, as kubectl would, and loses its comments. The current context is set only in
/// a file that has none.
pub fn merge(existing: &str, access: &Access) -> Result<String, MergeError> {
    let document: Value = match existing.trim() {
        "" => Value::Null,
        _ => serde_saphyr::from_str(existing).map_err(|error| MergeError::Syntax(Box::new(error)))?,
    };
    if document.is_null() {
        return Ok(render(access));
    }
    check(&document)?;
    let mut merged = document;
    let mut spliced = Some(existing.to_owned());
    for ((section, field), content) in SECTIONS.into_iter().zip(contents(access)) {
        let entry = entry(access, field, content);
        let splice = put(&mut merged, section, field, entry, access)?;
        spliced = spliced.and_then(|text| text::splice(&text, &splice));
    }
    if merged.get("current-context").is_none_or(|current| current.as_str().is_none_or(str::is_empty)) {
        merged["current-context"] = json!(access.context);
        spliced = spliced.map(|text| text::set_top_level(&text, "current-context", &access.context));
    }
    Ok(faithful(spliced, &merged))
}

/// Takes the entries of this access out of a kubeconfig and keeps everything else, as [`merge`] does; [`None`] when there are none.
///
/// Entries with the same name that are not ours, or that lead to another API server, stay. A current context that is taken out
/// leaves none.
pub fn unmerge(existing: &str, access: &Access) -> Option<String> {
    let mut document: Value = serde_saphyr::from_str(existing).ok()?;
    check(&document).ok()?;
    let place = |document: &Value, section: &str, field: &str| {
        let entries = document[section].as_array()?;
        entries.iter().position(|found| found["name"] == access.context.as_str() && is_ours(found, field))
    };
    let leads_elsewhere = |cluster: usize| document["clusters"][cluster]["cluster"]["server"] != access.server.as_str();
    if place(&document, "clusters", "cluster").is_some_and(leads_elsewhere)
        || SECTIONS.into_iter().all(|(section, field)| place(&document, section, field).is_none())
    {
        return None;
    }
    let mut spliced = Some(existing.to_owned());
    for (section, field) in SECTIONS {
        let Some(place) = place(&document, section, field) else { continue };
        let entries = document[section].as_array_mut()?;
        let splice = Splice { section, count: entries.len(), change: Change::Remove(place) };
        entries.remove(place);
        spliced = spliced.and_then(|text| text::splice(&text, &splice));
    }
    if document["current-context"] == access.context.as_str() {
        document["current-context"] = json!("");
        spliced = spliced.map(|text| text::set_top_level(&text, "current-context", ""));
    }
    Some(faithful(spliced, &document))
}

/// The spliced text, when it means what was meant: the splice works on lines and may be fooled by unusual YAML.
fn faithful(spliced: Option<String>, meant: &Value) -> String {
    let faithful = spliced.filter(|text| serde_saphyr::from_str::<Value>(text).is_ok_and(|read| read == *meant));
    faithful.unwrap_or_else(|| text::to_yaml(meant))
}

/// Refuses what is not a kubeconfig of the version that this program knows.
fn check(document: &Value) -> Result<(), MergeError> {
    let refuse = |what: String| Err(MergeError::NotAKubeconfig(what));
    let Some(top) = document.as_object() else { return refuse("it is not a mapping".to_owned()) };
    for (key, wanted) in [("apiVersion", "v1"), ("kind", "Config")] {
        if let Some(found) = top.get(key).filter(|found| found.as_str() != Some(wanted)) {
            return refuse(format!("{key} is {found}, not {wanted}"));
        }
    }
    for (section, _) in SECTIONS {
        let entries = match top.get(section) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(entries)) => entries,
            Some(_) => return refuse(format!("{section} is not a list")),
        };
        if entries.iter().any(|entry| entry.get("name").and_then(Value::as_str).is_none()) {
            return refuse(format!("an entry of {section} has no name"));
        }
    }
    Ok(())
}

/// Puts one entry into its list, and says how the text changes.
fn put(
    document: &mut Value,
    section: &'static str,
    field: &str,
    entry: Value,
    access: &Access,
) -> Result<Splice, MergeError> {
    if document[section].is_null() {
        document[section] = json!([]);
    }
    let entries = document[section].as_array_mut().expect("checked to be a list");
    let count = entries.len();
    let place = entries.iter().position(|found| found["name"] == access.context.as_str());
    if place.is_some_and(|place| !is_ours(&entries[place], field)) {
        return Err(MergeError::NotOurs { section, name: access.context.clone() });
    }
    let change = if let Some(place) = place {
        entries[place] = entry.clone();
        Change::Replace(place, entry)
    } else {
        entries.push(entry.clone());
        Change::Add(entry)
    };
    Ok(Splice { section, count, change })
}

fn is_ours(entry: &Value, field: &str) -> bool {
    let extensions = entry[field]["extensions"].as_array();
    extensions.is_some_and(|extensions| extensions.iter().any(|extension| extension["name"] == MARK))
}

#[cfg(test)]
mod tests {
    use super::super::tests::access;
    use super::*;

    const USERS_FILE: &str = "\
# my clusters
apiVersion: v1
kind: Config
clusters:
- cluster:
    server: https://one.example  # the old one
  name: one
# the people
contexts:
  - name: one
    context: {cluster: one, user: me}
current-context: one
preferences: {}
users:
- name: me
  user:
    token: abc
";

    fn parse(text: &str) -> Value {
        serde_saphyr::from_str(text).unwrap()
    }

    #[test]
    fn everything_else_stays_as_it_is_comments_included() {
        let merged = merge(USERS_FILE, &access()).unwrap();
        for line in USERS_FILE.lines() {
            assert!(merged.lines().any(|kept| kept == line), "{line:?} is gone from:\n{merged}");
        }
        let document = parse(&merged);
        assert_eq!(document["current-context"], "one");
        assert_eq!(document["clusters"].as_array().unwrap().len(), 2);
        assert_eq!(document["contexts"][1]["context"]["user"], "demo@us-east-1.eks");
        assert_eq!(document["users"][0]["user"]["token"], "abc");
        assert_eq!(document["users"][1]["user"]["exec"]["command"], "aws");
    }

    #[test]
    fn merging_again_changes_nothing_and_a_new_endpoint_replaces_the_old() {
        let once = merge(USERS_FILE, &access()).unwrap();
        assert_eq!(merge(&once, &access()).unwrap(), once);
        let moved = Access { server: "https://elsewhere.example".to_owned(), ..access() };
        let twice = merge(&once, &moved).unwrap();
        let clusters = &parse(&twice)["clusters"];
        assert_eq!(clusters.as_array().unwrap().len(), 2);
        assert_eq!(clusters[1]["cluster"]["server"], "https://elsewhere.example");
        assert_eq!(merge(&twice, &access()).unwrap(), once, "and back again");
    }

    #[test]
    fn what_was_merged_is_taken_out_again_and_the_text_is_as_before() {
        let merged = merge(USERS_FILE, &access()).unwrap();
        assert_eq!(unmerge(&merged, &access()).unwrap(), USERS_FILE);
        assert_eq!(unmerge(USERS_FILE, &access()), None);
        // A file of ours alone is left with empty lists and no context.
        let emptied = parse(&unmerge(&render(&access()), &access()).unwrap());
        assert_eq!((&emptied["users"], &emptied["current-context"]), (&json!([]), &json!("")));
        assert_eq!(parse(&merge(&unmerge(&merged, &access()).unwrap(), &access()).unwrap()), parse(&merged));
    }

    #[test]
    fn entries_of_others_and_of_another_cluster_are_not_taken_out() {
        let merged = merge(USERS_FILE, &access()).unwrap();
        let moved = Access { server: "https://elsewhere.example".to_owned(), ..access() };
        assert_eq!(unmerge(&merged, &moved), None);
        assert_eq!(unmerge(&merged.replace(MARK, "minikube"), &access()), None);
        assert_eq!(unmerge("clusters: [", &access()), None);
        let flow = "{clusters: [{name: one, cluster: {server: 'https://one.example'}}]}";
        let there_and_back = unmerge(&merge(flow, &access()).unwrap(), &access()).unwrap();
        assert_eq!(parse(&there_and_back)["clusters"], parse(flow)["clusters"]);
    }

    #[test]
    fn an_empty_file_becomes_a_kubeconfig_of_our_own() {
        for empty in ["", "\n", "# nothing yet\n", "---\n"] {
            assert_eq!(merge(empty, &access()).unwrap(), render(&access()), "{empty:?}");
        }
    }

    #[test]
    fn lists_that_kubectl_leaves_empty_are_filled() {
        let fresh = "apiVersion: v1\nclusters: null\ncontexts: []\ncurrent-context: \"\"\nkind: Config\nusers: null\n";
        let document = parse(&merge(fresh, &access()).unwrap());
        assert_eq!(document["current-context"], "demo@us-east-1.eks");
        assert_eq!(document["contexts"][0]["name"], "demo@us-east-1.eks");
        assert_eq!(document, parse(&render(&access())));
    }

    #[test]
    fn unusual_yaml_keeps_its_meaning() {
        let flow = "{apiVersion: v1, kind: Config, clusters: [{name: one, cluster: {server: 'https://one.example'}}]}";
        let document = parse(&merge(flow, &access()).unwrap());
        assert_eq!(document["clusters"][0]["cluster"]["server"], "https://one.example");
        assert_eq!(document["clusters"][1]["name"], "demo@us-east-1.eks");
        let anchors = "clusters:\n- &a\n  name: one\n  cluster: {server: x}\nusers:\n- name: 'no'\n  user: {}\n...\n";
        let document = parse(&merge(anchors, &access()).unwrap());
        assert_eq!(document["users"][0]["name"], "no");
        assert_eq!(document["users"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn an_entry_of_somebody_else_with_our_name_is_not_touched() {
        for (section, field) in SECTIONS {
            let text = format!("{section}:\n- name: demo@us-east-1.eks\n  {field}: {{}}\n");
            let error = merge(&text, &access()).unwrap_err();
            assert!(matches!(error, MergeError::NotOurs { section: found, .. } if found == section), "{error}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in ["clusters: [", "a: 1\na: 2\n", "a: 1\n---\nb: 2\n"] {
            assert!(matches!(merge(text, &access()), Err(MergeError::Syntax(_))), "{text:?}");
        }
        let others = [
            "- a\n",
            "text",
            "kind: Pod\n",
            "apiVersion: v2\n",
            "users: 3\n",
            "users:\n- user: {}\n",
            "clusters: {a: 1}\n",
        ];
        for text in others {
            assert!(matches!(merge(text, &access()), Err(MergeError::NotAKubeconfig(_))), "{text:?}");
        }
    }
}
