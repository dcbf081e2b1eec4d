internal import Glibc

/// A system call that failed: what was tried, on what, and what the kernel said.
package struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call or the step, as in `bind`.
    package var operation: String
    /// What it was done to: a path, an interface, an option; empty when there is nothing to name.
    package var object: String
    /// The errno value.
    package var code: Int32

    package init(_ operation: String, on object: String = "", code: Int32) {
        self.operation = operation
        self.object = object
        self.code = code
    }

    /// The calling thread's errno, taken at once.
    package init(last operation: String, on object: String = "") {
        self.init(operation, on: object, code: errno)
    }

    /// There is no interface of this name (ENODEV).
    package static func missingDevice(_ name: String) -> SystemError {
        SystemError("interface", on: name, code: ENODEV)
    }

    /// The kernel's words for the code.
    package var reason: String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }

    package var description: String {
        object.isEmpty ? "\(operation): \(reason)" : "\(operation) \(object): \(reason)"
    }

    /// EPERM or EACCES: the caller lacks a privilege.
    package var isPermission: Bool { code == EPERM || code == EACCES }
    /// ENODEV or ENXIO: the interface or device does not exist.
    package var isMissingDevice: Bool { code == ENODEV || code == ENXIO }
    /// EAGAIN: nothing there, or no room, at the moment.
    package var wouldBlock: Bool { code == EAGAIN }
    /// EEXIST: it is there already.
    package var isExisting: Bool { code == EEXIST }
    /// EINVAL: what was asked for makes no sense there.
    package var isInvalid: Bool { code == EINVAL }
    /// EMEDIUMTYPE: it lies on a disk, where it should lie in memory.
    package var isOnDisk: Bool { code == EMEDIUMTYPE }
    /// EADDRINUSE: another process has it.
    package var isInUse: Bool { code == EADDRINUSE || code == EBUSY }
}

/// Runs a system call again while a signal interrupts it; -1 becomes the error.
@inline(__always)
func checked<Value: FixedWidthInteger>(
    _ operation: String, on object: @autoclosure () -> String = "", _ call: () -> Value
) throws(SystemError) -> Value {
    while true {
        let value = call()
        if value != -1 { return value }
        let code = errno
        if code != EINTR { throw SystemError(operation, on: object(), code: code) }
    }
}
