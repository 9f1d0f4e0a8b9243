//! XML documents, built from the outside in.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// An element with a text or with elements in it.
#[derive(Debug)]
pub(super) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: Option<String>,
    children: Vec<Element>,
}

impl Element {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), attributes: Vec::new(), text: None, children: Vec::new() }
    }

    pub(super) fn attribute(&mut self, name: &str, value: &str) {
        self.attributes.push((name.to_owned(), value.to_owned()));
    }

    pub(super) fn text(&mut self, text: String) {
        self.text = Some(text);
    }

    pub(super) fn push(&mut self, child: Self) {
        self.children.push(child);
    }

    /// Adds an element that holds only a text.
    pub(super) fn leaf(&mut self, name: &str, text: &str) {
        self.push(Self { text: Some(text.to_owned()), ..Self::new(name) });
    }

    /// The whole document.
    pub(super) fn document(&self) -> String {
        let mut writer = Writer::new(Vec::new());
        let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
        // Writing into memory does not fail, and what is written is text.
        writer.write_event(Event::Decl(declaration)).expect("memory can be written");
        self.write(&mut writer);
        String::from_utf8(writer.into_inner()).expect("XML is written as UTF-8")
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) {
        let mut start = BytesStart::new(self.name.as_str());
        for (name, value) in &self.attributes {
            start.push_attribute((name.as_str(), value.as_str()));
        }
        let mut put = |event| writer.write_event(event).expect("memory can be written");
        put(Event::Start(start));
        if let Some(text) = &self.text {
            put(Event::Text(BytesText::new(text)));
        }
        for child in &self.children {
            child.write(writer);
        }
        writer.write_event(Event::End(BytesEnd::new(self.name.as_str()))).expect("memory can be written");
    }
}
