//! The memory of a process that waits.

use std::{collections::HashMap, io};

use rustix::io::Errno;

/// What fits in a page of memory, which is read as a whole. Larger ones are multiples of it.
const PAGE: usize = 4096;

/// The most that path and arguments may have together: the kernel's own limit is 6 MiB (execve(2)).
const MOST: usize = 6 << 20;

/// The memory of one thread, of which each page is read once, so that what is judged is one state of it.
pub(crate) struct Memory {
    thread: i32,
    pages: HashMap<u64, Box<[u8; PAGE]>>,
    read: usize,
}

impl Memory {
    pub(crate) fn of(thread: i32) -> Self {
        Self { thread, pages: HashMap::new(), read: 0 }
    }

    /// Whether none of it is for us, because its process is not dumpable (prctl(2)).
    pub(crate) fn is_closed(&self) -> bool {
        // Nothing is at this address for whoever may look.
        let mut page = [0; PAGE];
        read(self.thread, 0, &mut page).is_err_and(|error| error.raw_os_error() == Some(libc::EPERM))
    }

    /// The text up to its NUL.
    ///
    /// # Errors
    /// `EFAULT` where there is no memory, `E2BIG` where it has no end, `ESRCH` when the thread is gone, `EPERM` when its memory is
    /// not for us, because its process is not dumpable (prctl(2)).
    pub(crate) fn text(&mut self, address: u64) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut at = address;
        loop {
            let rest = self.page(at)?;
            if let Some(end) = rest.iter().position(|byte| *byte == 0) {
                text.extend(rest.iter().take(end));
                return self.count(text.len() + 1).map(|()| text);
            }
            text.extend_from_slice(rest);
            at = at.checked_add(rest.len() as u64).ok_or(Errno::FAULT)?;
            if text.len() > MOST {
                return Err(Errno::TOOBIG.into());
            }
        }
    }

    /// So many bytes.
    ///
    /// # Errors
    /// As of [`text`](Self::text).
    pub(crate) fn bytes(&mut self, address: u64, length: usize) -> io::Result<Vec<u8>> {
        self.count(length)?;
        let mut bytes = Vec::with_capacity(length);
        let mut at = address;
        while bytes.len() < length {
            let rest = self.page(at)?;
            let taken = rest.len().min(length - bytes.len());
            bytes.extend(rest.iter().take(taken));
            at = at.checked_add(taken as u64).ok_or(Errno::FAULT)?;
        }
        Ok(bytes)
    }

    /// The texts that a list of pointers leads to, up to its null. No list is an empty one, as it is for the kernel.
    ///
    /// # Errors
    /// As of [`text`](Self::text).
    pub(crate) fn texts(&mut self, address: u64) -> io::Result<Vec<Vec<u8>>> {
        let mut texts = Vec::new();
        if address == 0 {
            return Ok(texts);
        }
        for at in (address..).step_by(8) {
            let pointer = self.number(at)?;
            if pointer == 0 {
                break;
            }
            self.count(8)?;
            texts.push(self.text(pointer)?);
        }
        Ok(texts)
    }

    fn number(&mut self, address: u64) -> io::Result<u64> {
        if let Some(bytes) = self.page(address)?.first_chunk() {
            return Ok(u64::from_ne_bytes(*bytes));
        }
        let mut bytes = [0; 8];
        for (at, byte) in (address..).zip(&mut bytes) {
            *byte = *self.page(at)?.first().ok_or(Errno::FAULT)?;
        }
        Ok(u64::from_ne_bytes(bytes))
    }

    /// From this address to the end of its page.
    fn page(&mut self, address: u64) -> io::Result<&[u8]> {
        let (start, offset) = (address - address % PAGE as u64, (address % PAGE as u64) as usize);
        let page = match self.pages.entry(start) {
            std::collections::hash_map::Entry::Occupied(there) => there.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let mut page = Box::new([0; PAGE]);
                read(self.thread, start, &mut page)?;
                place.insert(page)
            }
        };
        page.get(offset..).ok_or_else(|| Errno::FAULT.into())
    }

    fn count(&mut self, bytes: usize) -> io::Result<()> {
        self.read += bytes;
        if self.read > MOST { Err(Errno::TOOBIG.into()) } else { Ok(()) }
    }
}

/// Copies one page of a thread's memory, without a file for it (process_vm_readv(2)).
fn read(thread: i32, start: u64, page: &mut [u8; PAGE]) -> io::Result<()> {
    let here = libc::iovec { iov_base: page.as_mut_ptr().cast(), iov_len: PAGE };
    let there = libc::iovec { iov_base: std::ptr::without_provenance_mut(start as usize), iov_len: PAGE };
    // SAFETY: the kernel writes to the page, whose length it is told, and reads from the other process only.
    let copied = unsafe { libc::process_vm_readv(thread, &raw const here, 1, &raw const there, 1, 0) };
    match usize::try_from(copied) {
        Ok(PAGE) => Ok(()),
        Ok(_) => Err(Errno::FAULT.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::CString, ptr};

    use super::*;

    #[test]
    fn texts_are_read_wherever_they_lie() {
        let texts = ["", "a", &"long".repeat(5000), "end"].map(|text| CString::new(text).unwrap());
        let mut list: Vec<_> = texts.iter().map(|text| text.as_ptr()).collect();
        list.push(ptr::null());
        let mut memory = Memory::of(rustix::process::getpid().as_raw_nonzero().get());
        let read = memory.texts(list.as_ptr() as u64).unwrap();
        assert_eq!(read, texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(memory.texts(0).unwrap(), Vec::<Vec<u8>>::new());
        assert_eq!(memory.bytes(texts[2].as_ptr() as u64, 9000).unwrap(), texts[2].as_bytes()[..9000]);
    }

    #[test]
    fn what_is_not_there_or_has_no_end_is_an_error() {
        let mut memory = Memory::of(rustix::process::getpid().as_raw_nonzero().get());
        for address in [0, 8, u64::MAX, u64::MAX - 4096, 1 << 63] {
            assert_eq!(memory.text(address).unwrap_err().raw_os_error(), Some(libc::EFAULT), "{address}");
        }
        let endless = vec![b'x'; MOST + 2 * PAGE];
        assert_eq!(memory.text(endless.as_ptr() as u64).unwrap_err().raw_os_error(), Some(libc::E2BIG));
        let own = CString::new("x".repeat(4000)).unwrap();
        let list = vec![own.as_ptr(); 2000];
        assert_eq!(memory.texts(list.as_ptr() as u64).unwrap_err().raw_os_error(), Some(libc::E2BIG));
    }
}
