// Generated from abi/wit/v1 by `npm run gen`. Do not edit.
//! The host functions of Neira for plugins in Rust, with the standard library and no crate.
//!
//!     use neira::{io, storage, Level, Refusal};
//!
//!     fn handle(input: &str) -> Result<String, String> {
//!         storage::add("events", 1.0)?;
//!         io::log(Level::Info, input);
//!         Ok("{}".into())
//!     }
//!
//!     neira::plugin!(handle);
//!
//! `input` is the envelope and the answer is the reply, both JSON. An error text fails the turn, and nothing of it is
//! kept; a refusal that is let through with `?` fails it with its code. With `neira::plugin!(handle, prepare)` there
//! is a `fn prepare() -> Result<(), String>` too.
//!
//! A turn has an instance to itself. What is passed to the host may therefore be left in memory.

use std::mem::MaybeUninit;

/// Exports `handle`, and `prepare` where it is given.
#[macro_export]
macro_rules! plugin {
    ($handle:path) => {
        #[export_name = "cabi_realloc"]
        pub unsafe extern "C" fn neira_realloc(old: *mut u8, had: usize, align: usize, bytes: usize) -> *mut u8 {
            $crate::realloc(old, had, align, bytes)
        }
        #[export_name = "handle"]
        pub unsafe extern "C" fn neira_handle(ptr: *mut u8, len: usize) -> *const $crate::Outcome {
            $crate::Outcome::of($handle(&$crate::text(ptr, len)))
        }
    };
    ($handle:path, $prepare:path) => {
        $crate::plugin!($handle);
        #[export_name = "prepare"]
        pub unsafe extern "C" fn neira_prepare() -> *const $crate::Outcome {
            $crate::Outcome::of($prepare().map(|()| String::new()))
        }
    };
}

/// What an export answers, where the host reads it.
#[repr(C)]
pub struct Outcome {
    is_err: u8,
    text: RawText,
}

impl Outcome {
    pub fn of(result: Result<String, String>) -> *const Outcome {
        let (is_err, text) = match result {
            Ok(text) => (0, text),
            Err(text) => (1, text),
        };
        let text = raw_text(Box::leak(text.into_boxed_str()));
        Box::leak(Box::new(Outcome { is_err, text }))
    }
}

/// A text that the host has laid into memory of the plugin.
pub unsafe fn text(ptr: *mut u8, len: usize) -> String {
    if len == 0 {
        return String::new();
    }
    String::from_utf8_unchecked(Vec::from_raw_parts(ptr, len, len))
}

/// Called by the host for what it passes in.
pub unsafe fn realloc(old: *mut u8, had: usize, align: usize, bytes: usize) -> *mut u8 {
    if bytes == 0 {
        return align as *mut u8;
    }
    let layout = |size| std::alloc::Layout::from_size_align_unchecked(size, align);
    let made = if had == 0 {
        std::alloc::alloc(layout(bytes))
    } else {
        std::alloc::realloc(old, layout(had), bytes)
    };
    if made.is_null() {
        std::process::abort();
    }
    made
}

/// The code of the refusal, by which the host knows that it was let through.
impl From<Refusal> for String {
    fn from(refusal: Refusal) -> String {
        refusal.code
    }
}

// --- how values lie in memory

/// A value and what it is in memory, between the plugin and the host.
pub trait Abi {
    type Raw: Copy;
    /// Takes over what the host has laid into memory.
    unsafe fn lift(raw: Self::Raw) -> Self;
    fn lower(&self) -> Self::Raw;
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawText {
    ptr: *const u8,
    len: usize,
}

fn raw_text(text: &str) -> RawText {
    RawText { ptr: text.as_ptr(), len: text.len() }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawList<T> {
    ptr: *mut T,
    len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawOption<T> {
    is_some: bool,
    value: T,
}

impl<T: Copy> RawOption<T> {
    /// Values in memory are numbers and addresses, so that of none may be zeros.
    fn of(value: Option<T>) -> Self {
        match value {
            Some(value) => RawOption { is_some: true, value },
            None => RawOption { is_some: false, value: unsafe { MaybeUninit::zeroed().assume_init() } },
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawResult<T: Copy, E: Copy> {
    is_err: u8,
    payload: Payload<T, E>,
}

#[repr(C)]
#[derive(Clone, Copy)]
union Payload<T: Copy, E: Copy> {
    ok: T,
    err: E,
}

/// Arguments that are too many to be passed one by one.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Given1<A>(A);
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Given3<A, B, C>(A, B, C);

fn address<T>(value: &T) -> *const u8 {
    value as *const T as *const u8
}

unsafe fn answered<T: Abi>(call: impl FnOnce(*mut u8)) -> T {
    let mut answer = MaybeUninit::<T::Raw>::zeroed();
    call(answer.as_mut_ptr() as *mut u8);
    T::lift(answer.assume_init())
}

macro_rules! plain {
    ($($type:ty),*) => { $(
        impl Abi for $type {
            type Raw = $type;
            unsafe fn lift(raw: $type) -> $type {
                raw
            }
            fn lower(&self) -> $type {
                *self
            }
        }
    )* };
}
plain!((), bool, u8, u16, u32, u64, i32, i64, f64);

impl Abi for String {
    type Raw = RawText;
    unsafe fn lift(raw: RawText) -> String {
        text(raw.ptr as *mut u8, raw.len)
    }
    fn lower(&self) -> RawText {
        raw_text(self)
    }
}

impl<T: Abi> Abi for Option<T> {
    type Raw = RawOption<T::Raw>;
    unsafe fn lift(raw: Self::Raw) -> Self {
        if raw.is_some {
            Some(T::lift(raw.value))
        } else {
            None
        }
    }
    fn lower(&self) -> Self::Raw {
        RawOption::of(self.as_ref().map(T::lower))
    }
}

impl<T: Abi> Abi for Vec<T> {
    type Raw = RawList<T::Raw>;
    unsafe fn lift(raw: Self::Raw) -> Self {
        if raw.len == 0 {
            return Vec::new();
        }
        Vec::from_raw_parts(raw.ptr, raw.len, raw.len).into_iter().map(|each| T::lift(each)).collect()
    }
    fn lower(&self) -> Self::Raw {
        let items = Box::leak(self.iter().map(T::lower).collect::<Vec<_>>().into_boxed_slice());
        RawList { ptr: items.as_mut_ptr(), len: items.len() }
    }
}

impl<T: Abi, E: Abi> Abi for Result<T, E> {
    type Raw = RawResult<T::Raw, E::Raw>;
    unsafe fn lift(raw: Self::Raw) -> Self {
        if raw.is_err == 0 {
            Ok(T::lift(raw.payload.ok))
        } else {
            Err(E::lift(raw.payload.err))
        }
    }
    fn lower(&self) -> Self::Raw {
        match self {
            Ok(value) => RawResult { is_err: 0, payload: Payload { ok: value.lower() } },
            Err(error) => RawResult { is_err: 1, payload: Payload { err: error.lower() } },
        }
    }
}

/// A JSON text (RFC 8259). Scripts see the value itself, components see the text.
pub type Json = String;

/// Why a host function refused: a code of the error catalogue and its details.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    pub code: String,
    pub message: String,
    pub details: Json,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawRefusal {
    code: <String as Abi>::Raw,
    message: <String as Abi>::Raw,
    details: <Json as Abi>::Raw,
}

impl Abi for Refusal {
    type Raw = RawRefusal;
    unsafe fn lift(raw: Self::Raw) -> Self {
        Refusal {
            code: Abi::lift(raw.code),
            message: Abi::lift(raw.message),
            details: Abi::lift(raw.details),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawRefusal {
            code: self.code.lower(),
            message: self.message.lower(),
            details: self.details.lower(),
        }
    }
}

/// A stored value with the version that it had when it was read. Versions start at 1; what the turn itself
/// staged reads as version 0, because only the commit gives it one.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub key: String,
    pub value: Json,
    pub version: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawEntry {
    key: <String as Abi>::Raw,
    value: <Json as Abi>::Raw,
    version: <u64 as Abi>::Raw,
}

impl Abi for Entry {
    type Raw = RawEntry;
    unsafe fn lift(raw: Self::Raw) -> Self {
        Entry {
            key: Abi::lift(raw.key),
            value: Abi::lift(raw.value),
            version: Abi::lift(raw.version),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawEntry {
            key: self.key.lower(),
            value: self.value.lower(),
            version: self.version.lower(),
        }
    }
}

/// Which page of a listing is wanted.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Begin behind this key: above it, in reverse below it.
    pub after: Option<String>,
    /// How many entries at most: up to 1000, 100 without it.
    pub limit: Option<u32>,
    /// From the highest key down.
    pub reverse: Option<bool>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawListOptions {
    after: <Option<String> as Abi>::Raw,
    limit: <Option<u32> as Abi>::Raw,
    reverse: <Option<bool> as Abi>::Raw,
}

impl Abi for ListOptions {
    type Raw = RawListOptions;
    unsafe fn lift(raw: Self::Raw) -> Self {
        ListOptions {
            after: Abi::lift(raw.after),
            limit: Abi::lift(raw.limit),
            reverse: Abi::lift(raw.reverse),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawListOptions {
            after: self.after.lower(),
            limit: self.limit.lower(),
            reverse: self.reverse.lower(),
        }
    }
}

/// A stroke or another mark that belongs to one session of one chat.
#[derive(Clone, Debug, Default)]
pub struct Annotation {
    /// Ids match `[\p{L}\p{N}_.-]{1,128}` and are not only dots.
    pub chat_id: String,
    pub session_id: String,
    /// What the mark is, for example `stroke`.
    pub kind: String,
    pub data: Json,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawAnnotation {
    chat_id: <String as Abi>::Raw,
    session_id: <String as Abi>::Raw,
    kind: <String as Abi>::Raw,
    data: <Json as Abi>::Raw,
}

impl Abi for Annotation {
    type Raw = RawAnnotation;
    unsafe fn lift(raw: Self::Raw) -> Self {
        Annotation {
            chat_id: Abi::lift(raw.chat_id),
            session_id: Abi::lift(raw.session_id),
            kind: Abi::lift(raw.kind),
            data: Abi::lift(raw.data),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawAnnotation {
            chat_id: self.chat_id.lower(),
            session_id: self.session_id.lower(),
            kind: self.kind.lower(),
            data: self.data.lower(),
        }
    }
}

/// A message of a session, found by the same search and export as annotations.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub chat_id: String,
    pub session_id: String,
    pub role: String,
    pub text: String,
    pub data: Option<Json>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawMessage {
    chat_id: <String as Abi>::Raw,
    session_id: <String as Abi>::Raw,
    role: <String as Abi>::Raw,
    text: <String as Abi>::Raw,
    data: <Option<Json> as Abi>::Raw,
}

impl Abi for Message {
    type Raw = RawMessage;
    unsafe fn lift(raw: Self::Raw) -> Self {
        Message {
            chat_id: Abi::lift(raw.chat_id),
            session_id: Abi::lift(raw.session_id),
            role: Abi::lift(raw.role),
            text: Abi::lift(raw.text),
            data: Abi::lift(raw.data),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawMessage {
            chat_id: self.chat_id.lower(),
            session_id: self.session_id.lower(),
            role: self.role.lower(),
            text: self.text.lower(),
            data: self.data.lower(),
        }
    }
}

/// Which page of what was saved is wanted.
#[derive(Clone, Debug, Default)]
pub struct RecordOptions {
    /// Begin behind this number; with the first without it.
    pub after: Option<u64>,
    /// How many records at most: up to 1000, 100 without it.
    pub limit: Option<u32>,
    /// Without their `line`: a page holds more of them, and they are read faster.
    pub text_only: Option<bool>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawRecordOptions {
    after: <Option<u64> as Abi>::Raw,
    limit: <Option<u32> as Abi>::Raw,
    text_only: <Option<bool> as Abi>::Raw,
}

impl Abi for RecordOptions {
    type Raw = RawRecordOptions;
    unsafe fn lift(raw: Self::Raw) -> Self {
        RecordOptions {
            after: Abi::lift(raw.after),
            limit: Abi::lift(raw.limit),
            text_only: Abi::lift(raw.text_only),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawRecordOptions {
            after: self.after.lower(),
            limit: self.limit.lower(),
            text_only: self.text_only.lower(),
        }
    }
}

/// An annotation or a message as it was saved.
#[derive(Clone, Debug, Default)]
pub struct ChatRecord {
    /// Rises in the order in which records were committed, from 1, perhaps with gaps.
    pub number: u64,
    /// `annotation` or `message`.
    pub r#type: String,
    pub id: String,
    /// Who saved it.
    pub plugin: String,
    pub chat_id: String,
    pub session_id: String,
    /// What a search looks at: the text of a message, the kind and all texts of an annotation; up to 4096 characters.
    pub text: String,
    /// All of it, as it stands in its file; none with `text_only`.
    pub line: Option<Json>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawChatRecord {
    number: <u64 as Abi>::Raw,
    r#type: <String as Abi>::Raw,
    id: <String as Abi>::Raw,
    plugin: <String as Abi>::Raw,
    chat_id: <String as Abi>::Raw,
    session_id: <String as Abi>::Raw,
    text: <String as Abi>::Raw,
    line: <Option<Json> as Abi>::Raw,
}

impl Abi for ChatRecord {
    type Raw = RawChatRecord;
    unsafe fn lift(raw: Self::Raw) -> Self {
        ChatRecord {
            number: Abi::lift(raw.number),
            r#type: Abi::lift(raw.r#type),
            id: Abi::lift(raw.id),
            plugin: Abi::lift(raw.plugin),
            chat_id: Abi::lift(raw.chat_id),
            session_id: Abi::lift(raw.session_id),
            text: Abi::lift(raw.text),
            line: Abi::lift(raw.line),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawChatRecord {
            number: self.number.lower(),
            r#type: self.r#type.lower(),
            id: self.id.lower(),
            plugin: self.plugin.lower(),
            chat_id: self.chat_id.lower(),
            session_id: self.session_id.lower(),
            text: self.text.lower(),
            line: self.line.lower(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    /// Major version of the event; 1 without it.
    pub version: Option<u32>,
    /// RFC 3339, minutes to years ahead: the event is published then, and can be cancelled until then.
    pub at: Option<String>,
    /// Another event of this plugin with the same name and key is dropped for a day.
    pub idempotency_key: Option<String>,
    /// An object of texts; they lie in the envelope's headers.
    pub headers: Option<Json>,
    /// To every subscriber, also to each of a queue group.
    pub broadcast: Option<bool>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawPublishOptions {
    version: <Option<u32> as Abi>::Raw,
    at: <Option<String> as Abi>::Raw,
    idempotency_key: <Option<String> as Abi>::Raw,
    headers: <Option<Json> as Abi>::Raw,
    broadcast: <Option<bool> as Abi>::Raw,
}

impl Abi for PublishOptions {
    type Raw = RawPublishOptions;
    unsafe fn lift(raw: Self::Raw) -> Self {
        PublishOptions {
            version: Abi::lift(raw.version),
            at: Abi::lift(raw.at),
            idempotency_key: Abi::lift(raw.idempotency_key),
            headers: Abi::lift(raw.headers),
            broadcast: Abi::lift(raw.broadcast),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawPublishOptions {
            version: self.version.lower(),
            at: self.at.lower(),
            idempotency_key: self.idempotency_key.lower(),
            headers: self.headers.lower(),
            broadcast: self.broadcast.lower(),
        }
    }
}

/// When a message leaves.
#[derive(Clone, Debug, Default)]
pub struct SendOptions {
    /// RFC 3339, minutes to years ahead: it leaves then, and can be taken back until then.
    pub at: Option<String>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawSendOptions {
    at: <Option<String> as Abi>::Raw,
}

impl Abi for SendOptions {
    type Raw = RawSendOptions;
    unsafe fn lift(raw: Self::Raw) -> Self {
        SendOptions {
            at: Abi::lift(raw.at),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawSendOptions {
            at: self.at.lower(),
        }
    }
}

/// How a command is sent.
#[derive(Clone, Debug, Default)]
pub struct RequestOptions {
    /// Major version of the command, 1 without it.
    pub version: Option<u32>,
    /// Longest time to wait for the result; after it nothing of the command is kept.
    pub timeout_ms: Option<u32>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawRequestOptions {
    version: <Option<u32> as Abi>::Raw,
    timeout_ms: <Option<u32> as Abi>::Raw,
}

impl Abi for RequestOptions {
    type Raw = RawRequestOptions;
    unsafe fn lift(raw: Self::Raw) -> Self {
        RequestOptions {
            version: Abi::lift(raw.version),
            timeout_ms: Abi::lift(raw.timeout_ms),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawRequestOptions {
            version: self.version.lower(),
            timeout_ms: self.timeout_ms.lower(),
        }
    }
}

/// How a command is sent whose result comes as an event.
#[derive(Clone, Debug, Default)]
pub struct AskOptions {
    /// Major version of the command, 1 without it.
    pub version: Option<u32>,
    /// Longest time until the result, up to 30 days; 10 minutes without it.
    pub timeout_ms: Option<u32>,
    /// The answer is a delivery of this key: those of one key come in order, whatever path of theirs it was found by.
    pub key: Option<String>,
    /// Comes back with the answer; up to 4 KB.
    pub context: Option<Json>,
    /// An object of texts; they lie in the envelope's headers.
    pub headers: Option<Json>,
    /// Lies in the header `idempotency_key`, so that whoever handles the command can tell that it came before.
    pub idempotency_key: Option<String>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawAskOptions {
    version: <Option<u32> as Abi>::Raw,
    timeout_ms: <Option<u32> as Abi>::Raw,
    key: <Option<String> as Abi>::Raw,
    context: <Option<Json> as Abi>::Raw,
    headers: <Option<Json> as Abi>::Raw,
    idempotency_key: <Option<String> as Abi>::Raw,
}

impl Abi for AskOptions {
    type Raw = RawAskOptions;
    unsafe fn lift(raw: Self::Raw) -> Self {
        AskOptions {
            version: Abi::lift(raw.version),
            timeout_ms: Abi::lift(raw.timeout_ms),
            key: Abi::lift(raw.key),
            context: Abi::lift(raw.context),
            headers: Abi::lift(raw.headers),
            idempotency_key: Abi::lift(raw.idempotency_key),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawAskOptions {
            version: self.version.lower(),
            timeout_ms: self.timeout_ms.lower(),
            key: self.key.lower(),
            context: self.context.lower(),
            headers: self.headers.lower(),
            idempotency_key: self.idempotency_key.lower(),
        }
    }
}

/// What a plugin wants to hear. Subjects are dotted: `*` stands for one part, `>` at the end for the rest.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    pub name: String,
    /// `nlp.intent.>`, `ui.notify@1`: without a version every one.
    pub event: String,
    /// CEL over `event`, the envelope: `event.payload.city == "Berlin"`.
    pub filter: Option<String>,
    /// RFC 9535 singular path into the envelope: deliveries of one key come in order.
    pub key: Option<String>,
    /// Of all subscriptions with the same group one gets the event.
    pub group: Option<String>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawSubscription {
    name: <String as Abi>::Raw,
    event: <String as Abi>::Raw,
    filter: <Option<String> as Abi>::Raw,
    key: <Option<String> as Abi>::Raw,
    group: <Option<String> as Abi>::Raw,
}

impl Abi for Subscription {
    type Raw = RawSubscription;
    unsafe fn lift(raw: Self::Raw) -> Self {
        Subscription {
            name: Abi::lift(raw.name),
            event: Abi::lift(raw.event),
            filter: Abi::lift(raw.filter),
            key: Abi::lift(raw.key),
            group: Abi::lift(raw.group),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawSubscription {
            name: self.name.lower(),
            event: self.event.lower(),
            filter: self.filter.lower(),
            key: self.key.lower(),
            group: self.group.lower(),
        }
    }
}

/// How an event came to this turn.
#[derive(Clone, Debug, Default)]
pub struct DeliveryInfo {
    /// 1 for the first.
    pub attempt: u32,
    /// Names of the subscriptions that it matched; those of the manifest are named like their event.
    pub subscriptions: Vec<String>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawDeliveryInfo {
    attempt: <u32 as Abi>::Raw,
    subscriptions: <Vec<String> as Abi>::Raw,
}

impl Abi for DeliveryInfo {
    type Raw = RawDeliveryInfo;
    unsafe fn lift(raw: Self::Raw) -> Self {
        DeliveryInfo {
            attempt: Abi::lift(raw.attempt),
            subscriptions: Abi::lift(raw.subscriptions),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawDeliveryInfo {
            attempt: self.attempt.lower(),
            subscriptions: self.subscriptions.lower(),
        }
    }
}

/// On whose behalf a plugin acts, as it registers it.
#[derive(Clone, Debug, Default)]
pub struct Principal {
    /// Unique within the plugin: `[a-z0-9][\w.:-]{0,127}`.
    pub id: String,
    /// For administrators, up to 200 characters.
    pub title: String,
    /// Of the shape of `permissions` in a manifest; nothing without it.
    pub permissions: Option<Json>,
    /// Of its definition, so that an administrator can tell what was granted to which.
    pub digest: Option<String>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawPrincipal {
    id: <String as Abi>::Raw,
    title: <String as Abi>::Raw,
    permissions: <Option<Json> as Abi>::Raw,
    digest: <Option<String> as Abi>::Raw,
}

impl Abi for Principal {
    type Raw = RawPrincipal;
    unsafe fn lift(raw: Self::Raw) -> Self {
        Principal {
            id: Abi::lift(raw.id),
            title: Abi::lift(raw.title),
            permissions: Abi::lift(raw.permissions),
            digest: Abi::lift(raw.digest),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawPrincipal {
            id: self.id.lower(),
            title: self.title.lower(),
            permissions: self.permissions.lower(),
            digest: self.digest.lower(),
        }
    }
}

/// An object whose values are texts.
pub type Texts = Json;

/// An object of values, each a text, a number, true or false, a secret `{secret: name}`, or a list of these, which
/// are joined without anything between them: `['Bearer ', {secret: 'weather.api_key'}]`.
pub type HttpValues = Json;

/// What to do with an answer that redirects. `follow`: at most five times, each as if it had been asked for: its
/// host, path and address have to be allowed too. `manual`: it is the answer. `error`: it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectMode {
    Follow,
    Manual,
    Error,
}

impl Abi for RedirectMode {
    type Raw = u8;
    unsafe fn lift(raw: u8) -> Self {
        [RedirectMode::Follow, RedirectMode::Manual, RedirectMode::Error][raw as usize]
    }
    fn lower(&self) -> u8 {
        *self as u8
    }
}

/// An HTTP request. Secrets are named, in `query`, `headers` and anywhere inside `json`; the host fills them in on the
/// way out, and masks them in what comes back.
#[derive(Clone, Debug, Default)]
pub struct HttpRequest {
    /// `GET`, `HEAD`, `OPTIONS`, `POST`, `PUT`, `PATCH` or `DELETE`; `GET` without it.
    pub method: Option<String>,
    /// `https://api.example.org/v1/now?city=Riga`, without user name, password and fragment.
    pub url: String,
    /// Put behind the query of `url`.
    pub query: Option<HttpValues>,
    /// At most 64. Those that say how a message is carried (Host, Content-Length, Connection, …) are the host's.
    pub headers: Option<HttpValues>,
    /// The body as a text, as bytes in Base64, or as a JSON value; one of the three, at most 1 MB. Safe methods have none.
    /// In the JSON an object of nothing but `secret` is taken for the name of one.
    pub body: Option<String>,
    pub body_base64: Option<String>,
    pub json: Option<Json>,
    /// Longest time for all of it, redirects included; `limits.wait_ms` without it, and never more.
    pub timeout_ms: Option<u32>,
    pub redirect: Option<RedirectMode>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawHttpRequest {
    method: <Option<String> as Abi>::Raw,
    url: <String as Abi>::Raw,
    query: <Option<HttpValues> as Abi>::Raw,
    headers: <Option<HttpValues> as Abi>::Raw,
    body: <Option<String> as Abi>::Raw,
    body_base64: <Option<String> as Abi>::Raw,
    json: <Option<Json> as Abi>::Raw,
    timeout_ms: <Option<u32> as Abi>::Raw,
    redirect: <Option<RedirectMode> as Abi>::Raw,
}

impl Abi for HttpRequest {
    type Raw = RawHttpRequest;
    unsafe fn lift(raw: Self::Raw) -> Self {
        HttpRequest {
            method: Abi::lift(raw.method),
            url: Abi::lift(raw.url),
            query: Abi::lift(raw.query),
            headers: Abi::lift(raw.headers),
            body: Abi::lift(raw.body),
            body_base64: Abi::lift(raw.body_base64),
            json: Abi::lift(raw.json),
            timeout_ms: Abi::lift(raw.timeout_ms),
            redirect: Abi::lift(raw.redirect),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawHttpRequest {
            method: self.method.lower(),
            url: self.url.lower(),
            query: self.query.lower(),
            headers: self.headers.lower(),
            body: self.body.lower(),
            body_base64: self.body_base64.lower(),
            json: self.json.lower(),
            timeout_ms: self.timeout_ms.lower(),
            redirect: self.redirect.lower(),
        }
    }
}

/// The answer to an HTTP request, whatever its status.
#[derive(Clone, Debug, Default)]
pub struct HttpResponse {
    pub status: u16,
    /// Where it came from, after redirects, without its query.
    pub url: String,
    /// By names in lower case. What came more than once is joined with `, `, cookies with a new line.
    pub headers: Texts,
    /// The body, decompressed: a text where it is UTF-8, else bytes in Base64. An empty one is the empty text.
    pub body: Option<String>,
    pub body_base64: Option<String>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct RawHttpResponse {
    status: <u16 as Abi>::Raw,
    url: <String as Abi>::Raw,
    headers: <Texts as Abi>::Raw,
    body: <Option<String> as Abi>::Raw,
    body_base64: <Option<String> as Abi>::Raw,
}

impl Abi for HttpResponse {
    type Raw = RawHttpResponse;
    unsafe fn lift(raw: Self::Raw) -> Self {
        HttpResponse {
            status: Abi::lift(raw.status),
            url: Abi::lift(raw.url),
            headers: Abi::lift(raw.headers),
            body: Abi::lift(raw.body),
            body_base64: Abi::lift(raw.body_base64),
        }
    }
    fn lower(&self) -> Self::Raw {
        RawHttpResponse {
            status: self.status.lower(),
            url: self.url.lower(),
            headers: self.headers.lower(),
            body: self.body.lower(),
            body_base64: self.body_base64.lower(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Abi for Level {
    type Raw = u8;
    unsafe fn lift(raw: u8) -> Self {
        [Level::Debug, Level::Info, Level::Warn, Level::Error][raw as usize]
    }
    fn lower(&self) -> u8 {
        *self as u8
    }
}

/// The calling plugin's private key-value space, and the shared record of chats.
///
/// The plugin comes from the turn, never from an argument: a plugin cannot name another's data.
/// Writes are staged; they become visible to others when the turn commits, or not at all.
pub mod storage {
    use super::*;

    /// The value under `key`: committed state plus what this turn staged.
    /// Needs `storage: [read]`.
    pub fn get(key: &str) -> Result<Option<Entry>, Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "get"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_key = raw_text(key);
        unsafe { answered(|answer| import(raw_key.ptr, raw_key.len, answer)) }
    }

    /// Stages `value` under `key`, replacing what was there. With `if_version` the key must be at that
    /// version now (0: must not exist), else NEIRA_VERSION_MISMATCH and nothing is staged.
    /// Needs `storage: [write]`. Refuses with NEIRA_VALUE_TOO_LARGE, NEIRA_VALUE_INVALID.
    pub fn set(key: &str, value: &str, if_version: Option<u64>) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "set"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, a4: i32, a5: i64, answer: *mut u8);
        }
        let raw_key = raw_text(key);
        let raw_value = raw_text(value);
        let raw_if_version = RawOption::of(if_version.map(|value| value.lower()));
        unsafe { answered(|answer| import(raw_key.ptr, raw_key.len, raw_value.ptr, raw_value.len, raw_if_version.is_some as i32, raw_if_version.value as i64, answer)) }
    }

    /// Stages the removal of `key`; removing what is not there is no error. Needs `storage: [write]`.
    pub fn delete(key: &str) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "delete"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_key = raw_text(key);
        unsafe { answered(|answer| import(raw_key.ptr, raw_key.len, answer)) }
    }

    /// Stages the addition of `n`, a finite number, to the number under `key`; a key that is not there counts as 0.
    /// Blind: additions of two turns do not conflict, however many are in flight. A value that is not a number,
    /// or a sum beyond 2^53 - 1 either way, is NEIRA_ADD_REFUSED: at the call where the turn knows the value
    /// already, else when it reads it or commits. Needs `storage: [write]`.
    pub fn add(key: &str, n: f64) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "add"]
            fn import(a0: *const u8, a1: usize, a2: f64, answer: *mut u8);
        }
        let raw_key = raw_text(key);
        let raw_n = n.lower();
        unsafe { answered(|answer| import(raw_key.ptr, raw_key.len, raw_n, answer)) }
    }

    /// A page of the entries whose key starts with `prefix`, ordered by the bytes of the key. It holds at most 1 MB
    /// of keys and values, so it may be shorter than `limit`; an empty one is the end. The next page is the one
    /// `after` its last key. The turn depends on the part of the range that it saw, and on nothing beyond.
    /// Needs `storage: [read]`.
    pub fn list(prefix: &str, options: Option<&ListOptions>) -> Result<Vec<Entry>, Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "list"]
            fn import(a0: *const u8, a1: usize, a2: i32, a3: i32, a4: *const u8, a5: usize, a6: i32, a7: i32, a8: i32, a9: i32, answer: *mut u8);
        }
        let raw_prefix = raw_text(prefix);
        let raw_options = RawOption::of(options.map(|value| value.lower()));
        unsafe { answered(|answer| import(raw_prefix.ptr, raw_prefix.len, raw_options.is_some as i32, raw_options.value.after.is_some as i32, raw_options.value.after.value.ptr, raw_options.value.after.value.len, raw_options.value.limit.is_some as i32, raw_options.value.limit.value as i32, raw_options.value.reverse.is_some as i32, raw_options.value.reverse.value as i32, answer)) }
    }

    /// Stages `value` as the next entry of the log `key`: it gets the key `<key>/<n>`, with n of 16 digits
    /// counted from 1 when the turn commits. Blind: appends of two turns do not conflict.
    /// Needs `storage: [write]`.
    pub fn append(key: &str, value: &str) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "append"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, answer: *mut u8);
        }
        let raw_key = raw_text(key);
        let raw_value = raw_text(value);
        unsafe { answered(|answer| import(raw_key.ptr, raw_key.len, raw_value.ptr, raw_value.len, answer)) }
    }

    /// Stages an annotation and answers its id. It ends as one line of
    /// `context/<chat-id>/<session-id>.annotations.ndjson`. Needs `storage: [write]`.
    pub fn save_annotation(annotation: &Annotation) -> Result<String, Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "save-annotation"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, a4: *const u8, a5: usize, a6: *const u8, a7: usize, answer: *mut u8);
        }
        let raw_annotation = annotation.lower();
        unsafe { answered(|answer| import(raw_annotation.chat_id.ptr, raw_annotation.chat_id.len, raw_annotation.session_id.ptr, raw_annotation.session_id.len, raw_annotation.kind.ptr, raw_annotation.kind.len, raw_annotation.data.ptr, raw_annotation.data.len, answer)) }
    }

    /// Stages a message of a chat and answers its id. It ends as one line of
    /// `context/<chat-id>/<session-id>.messages.ndjson`. Needs `storage: [write]`.
    pub fn save_message(message: &Message) -> Result<String, Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "save-message"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, a4: *const u8, a5: usize, a6: *const u8, a7: usize, a8: i32, a9: *const u8, a10: usize, answer: *mut u8);
        }
        let raw_message = message.lower();
        unsafe { answered(|answer| import(raw_message.chat_id.ptr, raw_message.chat_id.len, raw_message.session_id.ptr, raw_message.session_id.len, raw_message.role.ptr, raw_message.role.len, raw_message.text.ptr, raw_message.text.len, raw_message.data.is_some as i32, raw_message.data.value.ptr, raw_message.data.value.len, answer)) }
    }

    /// A page of the annotations and messages that any plugin saved, of every chat, in the order in which they were
    /// committed; what this turn saved itself is not among them. It holds at most 1 MB of their lines and texts, so it may
    /// be shorter than `limit`; an empty one is the end. The next page is the one `after` its last number. What was saved
    /// never changes: records that are committed meanwhile do not make the turn run again, the event `record.saved`
    /// tells of them. Needs `records: [read]`.
    pub fn records(options: Option<&RecordOptions>) -> Result<Vec<ChatRecord>, Refusal> {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "records"]
            fn import(a0: i32, a1: i32, a2: i64, a3: i32, a4: i32, a5: i32, a6: i32, answer: *mut u8);
        }
        let raw_options = RawOption::of(options.map(|value| value.lower()));
        unsafe { answered(|answer| import(raw_options.is_some as i32, raw_options.value.after.is_some as i32, raw_options.value.after.value as i64, raw_options.value.limit.is_some as i32, raw_options.value.limit.value as i32, raw_options.value.text_only.is_some as i32, raw_options.value.text_only.value as i32, answer)) }
    }

    /// The plugin's settings as an administrator set them, defaults of the manifest filled in.
    pub fn settings() -> Json {
        #[link(wasm_import_module = "neira:host/storage@1.0.0")]
        extern "C" {
            #[link_name = "settings"]
            fn import(answer: *mut u8);
        }
        unsafe { answered(|answer| import(answer)) }
    }
}

/// The outside world, only through ports granted to the plugin.
pub mod io {
    use super::*;

    /// Writes a line to the plugin's log, within `limits.log_kb` a turn; what is over is dropped and
    /// counted. Needs no permission and is kept even when the turn fails.
    pub fn log(level: Level, message: &str) {
        #[link(wasm_import_module = "neira:host/io@1.0.0")]
        extern "C" {
            #[link_name = "log"]
            fn import(a0: i32, a1: *const u8, a2: usize);
        }
        let raw_level = level.lower();
        let raw_message = raw_text(message);
        unsafe { import(raw_level as i32, raw_message.ptr, raw_message.len) }
    }

    /// The clear text of the secret `name`, for what has to be computed with it: a signature, a login. Where a
    /// secret is only to be sent, name it as `{secret: "<name>"}` instead, and never hold it. The turn may use the
    /// text and not keep it: staging it, sending it, asking with it or answering with it, also encoded, is refused
    /// with NEIRA_SECRET_LEAK, and it is masked in what the turn logs and throws.
    /// Needs `secrets: [{name: <name>, reveal: true}]`. Refuses with NEIRA_SECRET_MISSING.
    /// Waits: scripts get a promise, in a component the call returns with the answer.
    pub fn secret(name: &str) -> Result<String, Refusal> {
        #[link(wasm_import_module = "neira:host/io@1.0.0")]
        extern "C" {
            #[link_name = "secret"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_name = raw_text(name);
        unsafe { answered(|answer| import(raw_name.ptr, raw_name.len, answer)) }
    }

    /// Says that every text inside `value` (from 3 characters on) is personal: a name, a number, an address. It is
    /// masked in all that this turn logs or throws and in what is kept of its failure. Where the turn stores or
    /// publishes it, the value or the envelope is marked, and whoever reads it there is bound in the same way.
    /// Needs no permission.
    pub fn mark_personal(value: &str) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/io@1.0.0")]
        extern "C" {
            #[link_name = "mark-personal"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_value = raw_text(value);
        unsafe { answered(|answer| import(raw_value.ptr, raw_value.len, answer)) }
    }

    /// Stages `payload` for `target` on the port `port` (`console`: the host's own terminal and log).
    /// It leaves after the turn committed, or at `options.at`, at least once, in order per target.
    /// Answers the id that it will have. Needs `io: {ports: [<port>]}`, when it is staged.
    pub fn send(port: &str, target: &str, payload: &str, options: Option<&SendOptions>) -> Result<String, Refusal> {
        #[link(wasm_import_module = "neira:host/io@1.0.0")]
        extern "C" {
            #[link_name = "send"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, a4: *const u8, a5: usize, a6: i32, a7: i32, a8: *const u8, a9: usize, answer: *mut u8);
        }
        let raw_port = raw_text(port);
        let raw_target = raw_text(target);
        let raw_payload = raw_text(payload);
        let raw_options = RawOption::of(options.map(|value| value.lower()));
        unsafe { answered(|answer| import(raw_port.ptr, raw_port.len, raw_target.ptr, raw_target.len, raw_payload.ptr, raw_payload.len, raw_options.is_some as i32, raw_options.value.at.is_some as i32, raw_options.value.at.value.ptr, raw_options.value.at.value.len, answer)) }
    }

    /// Stages that a send with `options.at` is taken back, or one of this turn. One that has left already, or that
    /// another plugin staged, is left as it is.
    pub fn cancel(id: &str) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/io@1.0.0")]
        extern "C" {
            #[link_name = "cancel"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_id = raw_text(id);
        unsafe { answered(|answer| import(raw_id.ptr, raw_id.len, answer)) }
    }

    /// Makes an HTTP request and waits for its answer. It leaves at once, whatever becomes of this turn; once that is
    /// settled, what is still under way is given up. Needs a rule of `io: {http: [{host, methods, …}]}` that it falls under.
    /// The request is kept before it leaves, and its answer before the plugin sees it: a turn that runs again gets the
    /// answer that it got before to the same request (method, address, headers and body; so put nothing in that depends on
    /// the time of the turn). Methods that are not safe carry an `Idempotency-Key`, unless one is given in `headers`.
    /// When `handle` threw, answers that were network errors or had status 408, 429 or 5xx are forgotten, and asked for anew.
    /// NEIRA_OUTCOME_UNKNOWN: it may have been carried out, and nobody knows; it is not sent again by the host unless the
    /// host was granted as `idempotent`.
    /// Else refuses with NEIRA_PERMISSION_DENIED, NEIRA_ADDRESS_REFUSED, NEIRA_HTTP_FAILED, NEIRA_HTTP_TIMEOUT,
    /// NEIRA_REDIRECT_REFUSED, NEIRA_RESPONSE_TOO_LARGE (`limits.response_kb`), NEIRA_RESPONSE_INVALID,
    /// NEIRA_REQUESTS_EXCEEDED and NEIRA_REQUEST_RATE (`limits.requests`, `limits.requests_per_minute`),
    /// NEIRA_SECRET_DENIED, NEIRA_SECRET_MISSING, and in a dry run NEIRA_DRY_RUN_REQUEST.
    /// Waits: scripts get a promise, in a component the call returns with the answer.
    pub fn request(request: &HttpRequest) -> Result<HttpResponse, Refusal> {
        #[link(wasm_import_module = "neira:host/io@1.0.0")]
        extern "C" {
            #[link_name = "request"]
            fn import(given: *const u8, answer: *mut u8);
        }
        let raw_request = request.lower();
        let given = Given1(raw_request);
        unsafe { answered(|answer| import(address(&given), answer)) }
    }
}

/// The message bus.
pub mod bus {
    use super::*;

    /// Stages an event `namespace.noun.past` for the bus and answers the id that it will have. It goes to its
    /// subscribers when the turn commits, or at `options.at`. The event and its version must be named under
    /// `publishes` in the manifest and be registered, else NEIRA_UNKNOWN_EVENT; the payload must fit its
    /// schema, else NEIRA_EVENT_INVALID. A command goes to one plugin that handles it.
    pub fn publish(event: &str, payload: &str, options: Option<&PublishOptions>) -> Result<String, Refusal> {
        #[link(wasm_import_module = "neira:host/bus@1.0.0")]
        extern "C" {
            #[link_name = "publish"]
            fn import(given: *const u8, answer: *mut u8);
        }
        let raw_event = raw_text(event);
        let raw_payload = raw_text(payload);
        let raw_options = RawOption::of(options.map(|value| value.lower()));
        let given = Given3(raw_event, raw_payload, raw_options);
        unsafe { answered(|answer| import(address(&given), answer)) }
    }

    /// Sends a command `namespace.verb` to the plugin that handles it and waits for its result. The request leaves
    /// at once, whatever becomes of this turn; what this turn staged is not visible to the one that answers.
    /// Other turns run meanwhile: what is read after the answer is the state of then. At most 16 answers are
    /// waited for at a time, together no longer than `limits.wait_ms`. A turn that is tried again gets the answer
    /// that it got before.
    /// The command and its version must be named under `publishes` in the manifest, else NEIRA_UNKNOWN_EVENT.
    /// Refuses with NEIRA_COMMAND_UNHANDLED, NEIRA_REQUEST_CYCLE, NEIRA_DEADLINE, and with what the other turn
    /// failed with.
    /// Waits: scripts get a promise, in a component the call returns with the answer.
    pub fn request(command: &str, payload: &str, options: Option<&RequestOptions>) -> Result<Json, Refusal> {
        #[link(wasm_import_module = "neira:host/bus@1.0.0")]
        extern "C" {
            #[link_name = "request"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, a4: i32, a5: i32, a6: i32, a7: i32, a8: i32, answer: *mut u8);
        }
        let raw_command = raw_text(command);
        let raw_payload = raw_text(payload);
        let raw_options = RawOption::of(options.map(|value| value.lower()));
        unsafe { answered(|answer| import(raw_command.ptr, raw_command.len, raw_payload.ptr, raw_payload.len, raw_options.is_some as i32, raw_options.value.version.is_some as i32, raw_options.value.version.value as i32, raw_options.value.timeout_ms.is_some as i32, raw_options.value.timeout_ms.value as i32, answer)) }
    }

    /// Stages a command, as `publish` does, whose result comes as an event of its own: `command.answered@1`, to this
    /// plugin alone and without a subscription. Nothing stands still for it, however long it takes. Answers the id of
    /// the command. What it came to comes exactly once, whatever becomes of plugins and host meanwhile: with `ok` and
    /// the `result`, or with an `error` – what the other turn failed with for good, NEIRA_COMMAND_UNHANDLED where
    /// nobody handles it, NEIRA_DEADLINE when the time is over; then nothing of the command is kept.
    /// A principal asks by its own grants; the answer comes to its plugin.
    pub fn ask(command: &str, payload: &str, options: Option<&AskOptions>) -> Result<String, Refusal> {
        #[link(wasm_import_module = "neira:host/bus@1.0.0")]
        extern "C" {
            #[link_name = "ask"]
            fn import(given: *const u8, answer: *mut u8);
        }
        let raw_command = raw_text(command);
        let raw_payload = raw_text(payload);
        let raw_options = RawOption::of(options.map(|value| value.lower()));
        let given = Given3(raw_command, raw_payload, raw_options);
        unsafe { answered(|answer| import(address(&given), answer)) }
    }

    /// Stages that an event with `options.at` is taken back, or a command that was asked: one that was not begun is not
    /// done, and no answer comes. One that was published already, or that another plugin published, is left as it is.
    pub fn cancel(id: &str) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/bus@1.0.0")]
        extern "C" {
            #[link_name = "cancel"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_id = raw_text(id);
        unsafe { answered(|answer| import(raw_id.ptr, raw_id.len, answer)) }
    }

    /// Stages a durable subscription, in force from the commit on; one of the same name is replaced.
    /// Its event must lie within the patterns of `permissions.bus.subscribe`, asked and granted.
    pub fn subscribe(subscription: &Subscription) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/bus@1.0.0")]
        extern "C" {
            #[link_name = "subscribe"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, a4: i32, a5: *const u8, a6: usize, a7: i32, a8: *const u8, a9: usize, a10: i32, a11: *const u8, a12: usize, answer: *mut u8);
        }
        let raw_subscription = subscription.lower();
        unsafe { answered(|answer| import(raw_subscription.name.ptr, raw_subscription.name.len, raw_subscription.event.ptr, raw_subscription.event.len, raw_subscription.filter.is_some as i32, raw_subscription.filter.value.ptr, raw_subscription.filter.value.len, raw_subscription.key.is_some as i32, raw_subscription.key.value.ptr, raw_subscription.key.value.len, raw_subscription.group.is_some as i32, raw_subscription.group.value.ptr, raw_subscription.group.value.len, answer)) }
    }

    /// Stages the end of a subscription of this plugin; what it brought already still comes.
    pub fn unsubscribe(name: &str) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/bus@1.0.0")]
        extern "C" {
            #[link_name = "unsubscribe"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_name = raw_text(name);
        unsafe { answered(|answer| import(raw_name.ptr, raw_name.len, answer)) }
    }

    /// How this event came here.
    pub fn delivery() -> DeliveryInfo {
        #[link(wasm_import_module = "neira:host/bus@1.0.0")]
        extern "C" {
            #[link_name = "delivery"]
            fn import(answer: *mut u8);
        }
        unsafe { answered(|answer| import(answer)) }
    }
}

/// On whose behalf the plugin acts. A plugin that acts for others – scenarios, capsules – registers a principal
/// for each of them and acts as it: what that principal may do is decided by its own grants, and those of the
/// plugin are of no use to it. Needs `principals: [delegate]`.
///
/// A principal asks for permissions as a manifest does, and an administrator grants them. It works in a key space
/// of its own, which the plugin itself finds under `principal:<id>/`; names of its subscriptions begin in the same
/// way. What it publishes has the source `plugin:<plugin>/<id>`. It shares the limits of the plugin, its settings
/// and its log.
pub mod principals {
    use super::*;

    /// Stages that there is this principal, with nothing granted. One of the same id is replaced: it keeps what it was
    /// granted as far as it still asks for it. At most `limits.principals` at a time, else NEIRA_TOO_MANY.
    pub fn register(principal: &Principal) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/principals@1.0.0")]
        extern "C" {
            #[link_name = "register"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, a4: i32, a5: *const u8, a6: usize, a7: i32, a8: *const u8, a9: usize, answer: *mut u8);
        }
        let raw_principal = principal.lower();
        unsafe { answered(|answer| import(raw_principal.id.ptr, raw_principal.id.len, raw_principal.title.ptr, raw_principal.title.len, raw_principal.permissions.is_some as i32, raw_principal.permissions.value.ptr, raw_principal.permissions.value.len, raw_principal.digest.is_some as i32, raw_principal.digest.value.ptr, raw_principal.digest.value.len, answer)) }
    }

    /// Stages the end of a principal, of its keys, its subscriptions and what it published for later. One that is not
    /// there is no error.
    pub fn remove(id: &str) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/principals@1.0.0")]
        extern "C" {
            #[link_name = "remove"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_id = raw_text(id);
        unsafe { answered(|answer| import(raw_id.ptr, raw_id.len, answer)) }
    }

    /// Names of what an administrator granted to a principal of what it asks for, as consent shows them:
    /// `bus.publish:ui.notify`. One that is not registered is NEIRA_PRINCIPAL_UNKNOWN. When it changes, the host's
    /// event `plugin.principal_granted@1` tells.
    pub fn granted(id: &str) -> Result<Vec<String>, Refusal> {
        #[link(wasm_import_module = "neira:host/principals@1.0.0")]
        extern "C" {
            #[link_name = "granted"]
            fn import(a0: *const u8, a1: usize, answer: *mut u8);
        }
        let raw_id = raw_text(id);
        unsafe { answered(|answer| import(raw_id.ptr, raw_id.len, answer)) }
    }

    /// Host functions that are called from here on are called by this principal, without one by the plugin itself
    /// again; so is every call in a new turn. An async function belongs to whoever called it, whoever acts when its
    /// answer comes. One that is not registered is NEIRA_PRINCIPAL_UNKNOWN, and nothing changes.
    pub fn act_as(principal: Option<&str>) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/principals@1.0.0")]
        extern "C" {
            #[link_name = "act-as"]
            fn import(a0: i32, a1: *const u8, a2: usize, answer: *mut u8);
        }
        let raw_principal = RawOption::of(principal.map(|value| raw_text(value)));
        unsafe { answered(|answer| import(raw_principal.is_some as i32, raw_principal.value.ptr, raw_principal.value.len, answer)) }
    }
}

/// Time within a turn. For what is to happen minutes or years later, publish or send with `at`.
pub mod timer {
    use super::*;

    /// Waits so many milliseconds, at most 2147483647; other turns run meanwhile, and the turn's time goes on to
    /// then. It counts against `limits.wait_ms`, and among the 16 answers that a turn may wait for at a time. A
    /// dry run does not wait. `setTimeout` and `setInterval` of scripts stand on it: what they have left to do when
    /// `handle` has answered is not done.
    /// Waits: scripts get a promise, in a component the call returns with the answer.
    pub fn sleep(ms: u32) -> Result<(), Refusal> {
        #[link(wasm_import_module = "neira:host/timer@1.0.0")]
        extern "C" {
            #[link_name = "sleep"]
            fn import(a0: i32, answer: *mut u8);
        }
        let raw_ms = ms.lower();
        unsafe { answered(|answer| import(raw_ms as i32, answer)) }
    }
}

/// Texts as a language and a country write them: dates and times in time zones, numbers, plurals, lists, order. It is
/// ECMA-402 of the host, without anything of its machine: the locale is `en-US` and the time zone UTC unless they
/// are named. Scripts have all of it as `Intl`, and as `toLocaleString` and `localeCompare` of what they format.
pub mod intl {
    use super::*;

    /// Calls `method` of a `service` – `DateTimeFormat`, `NumberFormat`, `PluralRules`, `Collator`, `ListFormat`,
    /// `RelativeTimeFormat`, `DisplayNames`, `Segmenter` – made with `locales`, an array, and `options`, an object, and
    /// answers what it answers. `input` is the array of its arguments: times in milliseconds since 1970; a number
    /// that JSON has not is `{"number": "NaN"}` or `{"bigint": "1"}`. Beside the methods of the standard there is `rank` of
    /// `Collator`: it takes texts and answers the place of each among them. `String` has `toLocaleUpperCase` and
    /// `toLocaleLowerCase`, `Intl` has `getCanonicalLocales` and `supportedValuesOf`.
    /// Needs no permission, may be called at any time and does not count among `limits.host_calls`: what it costs is
    /// counted against `limits.cpu_ms`. Refuses with NEIRA_VALUE_TOO_LARGE and NEIRA_VALUE_INVALID, whose details
    /// name the `error` of the standard, `RangeError` or `TypeError`.
    pub fn call(service: &str, method: &str, locales: &str, options: &str, input: &str) -> Result<Json, Refusal> {
        #[link(wasm_import_module = "neira:host/intl@1.0.0")]
        extern "C" {
            #[link_name = "call"]
            fn import(a0: *const u8, a1: usize, a2: *const u8, a3: usize, a4: *const u8, a5: usize, a6: *const u8, a7: usize, a8: *const u8, a9: usize, answer: *mut u8);
        }
        let raw_service = raw_text(service);
        let raw_method = raw_text(method);
        let raw_locales = raw_text(locales);
        let raw_options = raw_text(options);
        let raw_input = raw_text(input);
        unsafe { answered(|answer| import(raw_service.ptr, raw_service.len, raw_method.ptr, raw_method.len, raw_locales.ptr, raw_locales.len, raw_options.ptr, raw_options.len, raw_input.ptr, raw_input.len, answer)) }
    }
}
