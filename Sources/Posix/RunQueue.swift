internal import Glibc

/// How many threads of the machine want a CPU at the moment.
package struct RunQueue: ~Copyable {
    private let file: FileDescriptor
    private let processors: Int

    /// Without `/proc/loadavg` the machine counts as busy.
    ///
    /// Counted are the CPUs that the calling thread may run on: to be made by the one that starts the
    /// program, before workers are bound to CPUs of their own.
    package init() {
        let number = unsafe open("/proc/loadavg", O_RDONLY | O_CLOEXEC)
        file = FileDescriptor(owning: number)
        processors = AllowedProcessors.numbers.count
    }

    /// Whether there is no CPU to spare: the calling thread and others fill them all.
    ///
    /// About a microsecond and no allocation.
    package var isFull: Bool {
        let number = file.number
        return unsafe withUnsafeTemporaryAllocation(byteCount: 64, alignment: 1) { buffer in
            let got = unsafe pread(number, buffer.baseAddress, buffer.count, 0)
            guard got > 0 else { return true }
            // 0.20 0.18 0.12 1/80 11206: the number before the slash.
            var runnable = 0
            for index in 0..<got {
                let byte = unsafe buffer[index]
                if byte == UInt8(ascii: "/") { return runnable >= processors }
                let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
                runnable = isDigit ? runnable * 10 + Int(byte - UInt8(ascii: "0")) : 0
            }
            return true
        }
    }
}
