//! Loops compiled for the widest registers that the processor has.

/// Runs `work` compiled for the widest registers that the processor has. What it calls must be inlined; the operations
/// and their order are the same either way.
#[inline(always)]
pub(crate) fn on_widest(work: impl FnOnce()) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn on_avx2(work: impl FnOnce()) {
            work();
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { on_avx2(work) };
        }
    }
    work();
}
