internal import Posix

/// Why a command line ends early: exit status and the text exactly as printed.
package struct CommandError: Error, Hashable, Sendable {
    /// 1: a listing failed; 2: the line was refused; 255: not understood, or refused by the table.
    package var status: Int32
    /// What goes to stderr, without the newline at its end.
    package var text: String
    /// A line of this fate ends a restore (ipvsadm-cli section 6).
    package var endsRestore: Bool

    /// The line itself is wrong.
    package static func line(_ text: String) -> CommandError {
        CommandError(status: 2, text: text, endsRestore: true)
    }

    /// No command was recognised.
    package static func tryHelp(program: String) -> CommandError {
        CommandError(
            status: 255,
            text: "Try `\(program) -h' or '\(program) --help' for more information.",
            endsRestore: true)
    }

    /// An option the scanner stumbles over: unknown, without its argument, or with one too many.
    static func option(_ word: String, _ trouble: String) -> CommandError {
        CommandError(status: 255, text: "\(word): \(trouble)", endsRestore: false)
    }

    /// The table refused the request.
    static func refused(_ refusal: Refusal, by command: Command) -> CommandError {
        CommandError(
            status: command == .list || command == .listLocals ? 1 : 255,
            text: refusal.sentence(for: command),
            endsRestore: command == .list)
    }
}

extension Refusal {
    /// The sentence ipvsadm prints for this number after this command (ipvsadm-cli section 4).
    func sentence(for command: Command) -> String {
        switch (number, command) {
        case (.exists, .addService): "Service already exists"
        case (.noSuchEntry, .addService), (.noSuchEntry, .editService):
            "Scheduler or persistence engine not found"
        case (.noSuchService, .editService), (.noSuchService, .deleteService),
            (.noSuchService, .zero), (.noSuchService, .list), (.noSuchService, .listLocals):
            "No such service"
        case (.noSuchService, .addServer), (.noSuchService, .editServer),
            (.noSuchService, .deleteServer), (.noSuchService, .addLocals),
            (.noSuchService, .deleteLocals):
            "Service not defined"
        case (.exists, .addLocals): explained("Local address already exists")
        case (.noSuchEntry, .deleteLocals): explained("No such local address")
        case (.invalid, .addLocals), (.invalid, .deleteLocals):
            explained("Illegal local address")
        case (.exists, .addServer): "Destination already exists"
        case (.noSuchEntry, .editServer), (.noSuchEntry, .deleteServer): "No such destination"
        case (.exists, .startDaemon): "Daemon has already run"
        case (.noSuchService, .stopDaemon): "No daemon is running"
        case (.notPermitted, _): "Permission denied (you must be root)"
        case (.invalid, _):
            "Invalid operation.  Possibly wrong module version, address not unicast, ..."
        case (.protocolNotAvailable, _): "Protocol not available"
        case (.outOfMemory, _): explained("Memory allocation problem")
        case (.notSupported, _): notSupported
        case (.familyNotSupported, _): "Operation not supported with specified address family"
        case (.messageSize, _): "Module is wrong version"
        case (.noSuchDevice, _), (.outOfRange, _): number.reason
        default: explained(number.reason)
        }
    }

    /// The kernel means one thing by this number; a director that says more means something else.
    private var notSupported: String {
        guard let text, !text.isEmpty else { return "Operation not supported with IPv6" }
        return "Operation not supported by this director: \(text)"
    }

    /// The sentence, and what the director itself said of it: these numbers mean many things.
    private func explained(_ sentence: String) -> String {
        guard let text, !text.isEmpty else { return sentence }
        return "\(sentence)\n\(text)"
    }
}

extension ErrorNumber {
    static let messageSize = ErrorNumber(rawValue: 90)  // EMSGSIZE
    static let protocolNotAvailable = ErrorNumber(rawValue: 92)  // ENOPROTOOPT

    /// The C library's text for the number.
    var reason: String { SystemError("", code: rawValue).reason }
}

extension Refusal {
    /// What the director said, else what the number says.
    var ownWords: String {
        guard let text, !text.isEmpty else { return number.reason }
        return text
    }
}
