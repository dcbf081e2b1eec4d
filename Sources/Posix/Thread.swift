internal import CPosix
internal import Glibc

/// A thread of the operating system, to be joined exactly once.
package struct Thread: ~Copyable {
    private let handle: pthread_t

    /// Starts `body` on a thread that tools show as `name` (15 bytes of it), bound to `cpu` if given.
    ///
    /// A CPU that the kernel refuses leaves the thread unbound.
    package init(
        name: String, cpu: Int? = nil, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let start = ThreadStart(name: name, cpu: cpu, body: body)
        let context = unsafe Unmanaged.passRetained(start).toOpaque()
        var handle = pthread_t()
        let code = unsafe pthread_create(&handle, nil, enterThread, context)
        guard code == 0 else {
            unsafe Unmanaged<ThreadStart>.fromOpaque(context).release()
            throw SystemError("pthread_create", on: name, code: code)
        }
        self.handle = handle
    }

    /// Waits for the end of the body.
    package consuming func join() {
        _ = pthread_join(handle, nil)
    }

    /// CPU time that the thread has used, nanoseconds.
    package var cpuNanoseconds: UInt64 {
        UInt64(max(0, cposix_thread_cputime_of(UInt(handle))))
    }

    /// Has the thread run on these CPUs only; what the kernel refuses changes nothing.
    package func keep(to cpus: [Int]) {
        let numbers = cpus.map { Int32($0) }
        _ = unsafe cposix_keep_thread(UInt(handle), numbers, Int32(numbers.count))
    }

    /// Calls a function for each number below `count`, each on a thread of its own while the kernel gives
    /// some, and returns when all have returned.
    package static func share(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        guard count > 1 else {
            if count == 1 { body(0) }
            return
        }
        do throws(SystemError) {
            let last = count - 1
            let helper = try Thread(name: "share") { body(last) }
            share(count - 1, body)
            helper.join()
        } catch {
            for number in 0..<count { body(number) }
        }
    }

    /// Lets another thread that waits for this CPU run first.
    package static func yield() { sched_yield() }
}

private final class ThreadStart: Sendable {
    let name: String
    let cpu: Int?
    let body: @Sendable () -> Void

    init(name: String, cpu: Int?, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.cpu = cpu
        self.body = body
    }
}

/// A free function, since closures written in the main actor's files must not run elsewhere.
private func enterThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { return nil }
    let start = unsafe Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue()
    _ = unsafe cposix_name_thread(start.name)
    if let cpu = start.cpu { _ = cposix_pin_thread(Int32(cpu)) }
    start.body()
    return nil
}
