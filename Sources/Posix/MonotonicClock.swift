internal import CPosix

/// The clocks the director reads, nanoseconds.
package enum MonotonicClock {
    /// Time since boot, going on while the machine sleeps (CLOCK_BOOTTIME).
    package static func now() -> UInt64 { UInt64(bitPattern: cposix_boottime()) }

    /// CPU time of the calling thread.
    package static func threadTime() -> UInt64 { UInt64(bitPattern: cposix_thread_cputime()) }
}
