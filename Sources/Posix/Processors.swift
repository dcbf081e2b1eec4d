internal import CPosix
internal import Glibc

/// The CPUs of the machine.
package enum Processors {
    /// How many there are.
    package static var online: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Numbers of those that the calling thread may run on, the lowest first; every one when the
    /// kernel does not say.
    package static var allowed: [Int] {
        var numbers = [Int32](repeating: 0, count: 4096)
        let count = unsafe cposix_allowed_cpus(&numbers, Int32(numbers.count))
        guard count > 0 else { return Array(0..<online) }
        return numbers[..<Int(count)].map { Int($0) }
    }
}
