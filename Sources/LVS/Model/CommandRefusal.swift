/// Why the engine refuses a command, which then has changed nothing.
package enum CommandRefusal: Error, Hashable, Sendable {
    case serviceExists
    case noSuchService
    case destinationExists
    case noSuchDestination
    case localAddressExists(IPAddress)
    case noSuchLocalAddress(IPAddress)
    /// Scheduler or persistence engine of this name is not known.
    case schedulerNotFound(String)
    /// Weight or thresholds out of range.
    case outOfRange
    /// Anything the kernel calls EINVAL; the text says what was wrong and what is accepted.
    case invalid(String)
    /// The address family cannot be used here.
    case familyNotSupported
    /// Something the director does not do (yet); the text names it.
    case notSupported(String)
    /// No more services or servers fit.
    case outOfMemory(String)
}
