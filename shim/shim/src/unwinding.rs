//! What the standard library calls to walk the stack, in a program that aborts: there is nothing to walk.
//!
//! A panic here ends the process, by the hook that refuses or with a message. All that a backtrace would add is code that nobody
//! runs (the unwinder, readers of DWARF, of compressed sections and of mangled names), which was a third of the program. The
//! linker takes these functions in the unwinder's place, and whatever was called only from there is left out.

#![expect(unsafe_code, reason = "names that another library is asked for can be given in no other way")]

/// Begins a backtrace, which ends at once (`_URC_END_OF_STACK`).
#[unsafe(no_mangle)]
extern "C" fn _Unwind_Backtrace(_each: *const (), _argument: *const ()) -> i32 {
    5
}

/// What is called only while something is unwound or a backtrace goes on.
macro_rules! never {
    ($($name:ident)+) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $name() -> ! {
            std::process::abort()
        }
    )+};
}
never! {
    _Unwind_FindEnclosingFunction
    _Unwind_GetCFA
    _Unwind_GetDataRelBase
    _Unwind_GetIP
    _Unwind_GetIPInfo
    _Unwind_GetLanguageSpecificData
    _Unwind_GetRegionStart
    _Unwind_GetTextRelBase
    _Unwind_Resume
    _Unwind_SetGR
    _Unwind_SetIP
}
