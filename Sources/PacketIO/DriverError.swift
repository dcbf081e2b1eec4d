package import Posix

/// Why a driver could not be opened, in words for the operator.
package struct DriverError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of trouble it is.
    package enum Code: Hashable, Sendable {
        case unknownScheme
        case badArgument
        case noSuchInterface
        case notEthernet
        case missingPrivilege
        case system
    }

    package var code: Code
    /// One sentence that names the interface or the argument.
    package var description: String

    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// What a failed system call on an interface means to the operator.
    package init(_ error: SystemError, interface: String) {
        if error.isPermission {
            self.init(
                .missingPrivilege,
                "\(interface): opening packet sockets needs CAP_NET_RAW; run as root or grant it"
                    + " (\(error))")
        } else if error.isMissingDevice {
            self.init(.noSuchInterface, "\(interface): there is no such interface")
        } else {
            self.init(.system, "\(interface): \(error)")
        }
    }
}
