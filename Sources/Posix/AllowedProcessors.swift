internal import CPosix
internal import Glibc

/// The CPUs of the machine that this process may use.
package enum AllowedProcessors {
    /// How many CPUs the machine has in all.
    package static var online: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Their numbers in ascending order; CPU 0 alone when the kernel does not say.
    package static var numbers: [Int] {
        var cpus = [Int32](repeating: 0, count: 8192)
        let count = unsafe cposix_allowed_cpus(&cpus, Int32(cpus.count))
        return count > 0 ? cpus.prefix(Int(count)).map { Int($0) } : [0]
    }
}
