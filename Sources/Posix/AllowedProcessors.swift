internal import CPosix

/// The CPUs of the machine that this process may use.
package enum AllowedProcessors {
    /// Their numbers in ascending order; CPU 0 alone when the kernel does not say.
    package static var numbers: [Int] {
        var cpus = [Int32](repeating: 0, count: 8192)
        let count = unsafe cposix_allowed_cpus(&cpus, Int32(cpus.count))
        return count > 0 ? cpus.prefix(Int(count)).map { Int($0) } : [0]
    }
}
