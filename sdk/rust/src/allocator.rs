//! The allocator of a plugin: it begins with memory that the module has from the start.
//!
//! The standard library's begins by growing the instance's memory. Where each request has a fresh instance, that is two
//! system calls a request, to make a page usable and unusable again, besides the page's own cost.

// What an allocator is made of: memory that nobody else touches, handed over by its address.
#![allow(unsafe_code)]

use std::{alloc::Layout, arch::wasm32::memory_grow, mem::MaybeUninit, ptr::NonNull};

use talc::{
    base::{CHUNK_UNIT, Talc, binning::Binning},
    cell::TalcSyncCell,
    source::Source,
    wasm::WasmBinning,
};

/// A page of WebAssembly.
const PAGE: usize = 64 << 10;

/// Enough for most hooks. It is part of the module's zeroed memory, of which only what is used costs anything.
const ROOM: usize = 32 << 10;

static mut FIRST: [MaybeUninit<u8>; ROOM] = [MaybeUninit::uninit(); ROOM];

#[global_allocator]
static ALLOCATOR: TalcSyncCell<Memory, WasmBinning> = TalcSyncCell::new_wasm(Memory { begun: false, end: None });

/// Where the allocator gets memory from: first the room that is there, then the host.
#[derive(Debug)]
struct Memory {
    begun: bool,
    /// Of what the host has granted so far.
    end: Option<NonNull<u8>>,
}

// SAFETY: it allocates nothing.
unsafe impl Source for Memory {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        if !talc.source.begun {
            talc.source.begun = true;
            // SAFETY: nobody else names it, and this runs once.
            return unsafe { talc.claim((&raw mut FIRST).cast(), ROOM) }.map(drop).ok_or(());
        }
        // With what the allocator itself adds to an allocation and to a piece of memory.
        let pages = (layout.size() + layout.align() + 4 * CHUNK_UNIT).div_ceil(PAGE);
        let start = match memory_grow::<0>(pages) {
            usize::MAX => return Err(()),
            before => (before * PAGE) as *mut u8,
        };
        let end = match talc.source.end {
            // SAFETY: the new pages follow those that the allocator has, and are nobody's.
            Some(end) if end.as_ptr() == start => Some(unsafe { talc.extend(end, start.add(pages * PAGE)) }),
            // SAFETY: the new pages are nobody's.
            _ => unsafe { talc.claim(start, pages * PAGE) },
        };
        talc.source.end = end;
        end.map(drop).ok_or(())
    }
}
