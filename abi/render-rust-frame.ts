/** What of abi/types/neira.rs does not follow from the WIT: memory, exports, and how values lie in memory. */

export const RUST_HEAD = `// Generated from abi/wit/v1 by \`npm run gen\`. Do not edit.
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
//! \`input\` is the envelope and the answer is the reply, both JSON. An error text fails the turn, and nothing of it is
//! kept; a refusal that is let through with \`?\` fails it with its code. With \`neira::plugin!(handle, prepare)\` there
//! is a \`fn prepare() -> Result<(), String>\` too.
//!
//! A turn has an instance to itself. What is passed to the host may therefore be left in memory.

use std::mem::MaybeUninit;

/// Exports \`handle\`, and \`prepare\` where it is given.
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
`;
