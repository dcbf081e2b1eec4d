/// The commands of the command line.
package enum Command: Hashable, Sendable {
    case addService, editService, deleteService, flush, list
    case addServer, deleteServer, editServer
    case set, startDaemon, stopDaemon, restore, save, zero
    case addLocals, deleteLocals, listLocals
    case help, version
}

/// Everything the grammar knows of one command; a new command is one entry of `all`.
struct CommandEntry: Sendable {
    /// What the compatibility check says of an option (R, o, E or blank in ipvsadm-cli section 1).
    enum Allowance { case required, allowed, exclusive, refused }

    var command: Command
    var letters: [Character]
    var long: String
    /// The name messages use.
    var name: String
    var takesDaemonState = false
    var required: [CommandOption] = []
    var allowed: [CommandOption] = []
    var exclusive: [CommandOption] = []
    /// What is checked of the whole line after the compatibility check; may complete its values.
    var check: @Sendable (inout LineValues) throws(CommandError) -> Void = { _ in }
    /// Carries the line out.
    var run: @Sendable (LineValues, CommandSession) throws(CommandError) -> Void

    /// The rows of the table of words that start this command.
    var rows: [OptionRow] {
        let argument: OptionRow.Argument = takesDaemonState ? .required : .none
        let extra = letters.dropFirst().map {
            OptionRow($0, long, argument, .command(command))
        }
        return [OptionRow(letters.first, long, argument, .command(command))] + extra
    }

    func allowance(_ option: CommandOption) -> Allowance {
        if required.contains(option) { return .required }
        if allowed.contains(option) { return .allowed }
        return exclusive.contains(option) ? .exclusive : .refused
    }

    static func entry(of command: Command) -> CommandEntry? {
        all.first { $0.command == command }
    }

    /// The command a word starts, if it does.
    static func starting(with word: String) -> CommandEntry? {
        var scanner = OptionScanner([word, ""])
        guard let item = try? scanner.next(), case .command(let command) = item.meaning else {
            return nil
        }
        return entry(of: command)
    }

    private static let serviceOptions: [CommandOption] = [
        .scheduler, .persistent, .netmask, .onePacket, .persistenceEngine, .schedulerFlags,
        .clientAddressOption, .proxyProtocol, .newSequence, .noTimestamps,
    ]
    private static let serverOptions: [CommandOption] = [
        .forwardingMethod, .weight, .upperThreshold, .lowerThreshold, .tunnelType, .tunnelPort,
        .tunnelNoChecksum, .tunnelChecksum, .tunnelRemoteChecksum,
    ]

    static let all: [CommandEntry] = [
        CommandEntry(
            command: .addService, letters: ["A"], long: "add-service", name: "add-service",
            required: [.serviceAddress], allowed: serviceOptions, check: LineChecks.service,
            run: TableCommands.change),
        CommandEntry(
            command: .editService, letters: ["E"], long: "edit-service", name: "edit-service",
            required: [.serviceAddress], allowed: serviceOptions, check: LineChecks.service,
            run: TableCommands.change),
        CommandEntry(
            command: .deleteService, letters: ["D"], long: "delete-service",
            name: "delete-service", required: [.serviceAddress], run: TableCommands.change),
        CommandEntry(
            command: .flush, letters: ["C"], long: "clear", name: "flush",
            run: TableCommands.flush),
        CommandEntry(
            command: .list, letters: ["L", "l"], long: "list", name: "list",
            allowed: [
                .numeric, .stats, .rate, .thresholds, .persistentConnections, .noSort, .exact,
                .tunnelInfo,
            ],
            exclusive: [.connection, .serviceAddress, .timeout, .daemon],
            check: LineChecks.list, run: TableCommands.list),
        CommandEntry(
            command: .addServer, letters: ["a"], long: "add-server", name: "add-server",
            required: [.serviceAddress, .realServer], allowed: serverOptions,
            check: LineChecks.server, run: TableCommands.change),
        CommandEntry(
            command: .deleteServer, letters: ["d"], long: "delete-server", name: "delete-server",
            required: [.serviceAddress, .realServer], run: TableCommands.change),
        CommandEntry(
            command: .editServer, letters: ["e"], long: "edit-server", name: "edit-server",
            required: [.serviceAddress, .realServer], allowed: serverOptions,
            check: LineChecks.server, run: TableCommands.change),
        CommandEntry(
            command: .set, letters: [], long: "set", name: "set", run: TableCommands.setTimeouts),
        CommandEntry(
            command: .startDaemon, letters: [], long: "start-daemon", name: "start-daemon",
            takesDaemonState: true,
            allowed: [
                .multicastInterface, .syncID, .multicastGroup, .multicastPort, .multicastTTL,
                .syncMaximumLength,
            ], run: TableCommands.startDaemon),
        CommandEntry(
            command: .stopDaemon, letters: [], long: "stop-daemon", name: "stop-daemon",
            takesDaemonState: true, allowed: [.syncID], run: TableCommands.stopDaemon),
        CommandEntry(
            command: .restore, letters: ["R"], long: "restore", name: "restore",
            run: { _, session throws(CommandError) in try session.restore() }),
        CommandEntry(
            command: .save, letters: ["S"], long: "save", name: "save", allowed: [.numeric],
            run: TableCommands.save),
        CommandEntry(
            command: .zero, letters: ["Z"], long: "zero", name: "zero",
            allowed: [.serviceAddress], run: TableCommands.zero),
        CommandEntry(
            command: .addLocals, letters: ["P"], long: "add-laddr", name: "add-laddr",
            required: [.serviceAddress, .localAddress], check: LineChecks.locals,
            run: TableCommands.change),
        CommandEntry(
            command: .deleteLocals, letters: ["Q"], long: "del-laddr", name: "del-laddr",
            required: [.serviceAddress, .localAddress], run: TableCommands.change),
        CommandEntry(
            command: .listLocals, letters: ["G"], long: "get-laddr", name: "get-laddr",
            allowed: [.serviceAddress, .numeric], run: TableCommands.listLocals),
        CommandEntry(
            command: .help, letters: ["h"], long: "help", name: "help",
            run: { _, session in session.print(Usage.text(program: session.program)) }),
        CommandEntry(
            command: .version, letters: ["v"], long: "version", name: "version",
            run: { _, session in session.print(Usage.version) }),
    ]
}
