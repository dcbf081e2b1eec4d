internal import LVS

/// What is judged of a whole line: steps 5 to 8 of ipvsadm-cli section 1.
enum LineChecks {
    /// Required, refused and mutually exclusive options, in the order of their numbers.
    static func compatibility(
        _ entry: CommandEntry, _ values: LineValues
    ) throws(CommandError) {
        try compatibility(
            CommandOption.allCases, of: "'\(entry.name)' command", values, entry.allowance)
    }

    private static func compatibility(
        _ options: [CommandOption], of what: String, _ values: LineValues,
        _ allowance: (CommandOption) -> CommandEntry.Allowance
    ) throws(CommandError) {
        var exclusive: CommandOption?
        for option in options {
            let isThere = values.has(option)
            switch allowance(option) {
            case .allowed: break
            case .required:
                guard isThere else {
                    throw .line("You need to supply the '\(option.name)' option for the \(what)")
                }
            case .refused:
                guard !isThere else {
                    throw .line("Illegal '\(option.name)' option with the \(what)")
                }
            case .exclusive:
                guard isThere else { break }
                if let first = exclusive {
                    throw .line(
                        "The option '\(option.name)' conflicts with the '\(first.name)' option"
                            + " in the \(what)")
                }
                exclusive = option
            }
        }
    }

    @Sendable static func service(_ values: inout LineValues) throws(CommandError) {
        let service = values.service
        guard !values.has(.clientAddressOption) || !values.has(.proxyProtocol) else {
            throw .line(
                "The option 'proxy-protocol' conflicts with the 'toa' option in the "
                    + "'\(values.command == .addService ? "add" : "edit")-service' command")
        }
        guard !service.isMark else { return }
        guard service.fullNAT == FullNATOptions.none || (service.transport ?? .tcp) == .tcp else {
            throw .line(
                "--toa, --proxy-protocol, --new-isn and --no-timestamps are only for TCP virtual "
                    + "services and firewall marks")
        }
        guard service.port != 0 || service.flags.contains(.persistent) else {
            throw .line("Zero port specified for non-persistent service")
        }
        guard !service.flags.contains(.onePacket) || service.transport == .udp else {
            throw .line("One-Packet Scheduling is only for UDP virtual services")
        }
    }

    @Sendable static func server(_ values: inout LineValues) throws(CommandError) {
        let method = values.server.method
        let isTranslated = method == .fullNAT && values.server.family == .v4
        guard values.server.family == values.service.family || method == .tunnel || isTranslated
        else {
            throw .line("Different address family is allowed only for tunneling servers")
        }
        try tunnel(values)
        // Only a translated packet can change its port.
        if !values.service.isMark, !method.isTranslating {
            values.server.port = values.service.port
        }
    }

    @Sendable static func locals(_ values: inout LineValues) throws(CommandError) {
        guard values.locals?.first.family != .v6 || values.service.family == .v6 else {
            throw .line("IPv6 local addresses are only for IPv6 virtual services")
        }
    }

    private static let tunnelOptions: [CommandOption] = [
        .tunnelType, .tunnelPort, .tunnelNoChecksum, .tunnelChecksum, .tunnelRemoteChecksum,
    ]

    private static func tunnel(_ values: LineValues) throws(CommandError) {
        guard values.server.method == .tunnel else {
            guard !tunnelOptions.contains(where: values.has) else {
                throw .line("Tunnel options conflict with forward method")
            }
            return
        }
        let type = values.server.tunnelType
        try compatibility(tunnelOptions, of: "'\(type.rawValue)' tunnel type", values) {
            switch ($0, type) {
            case (.tunnelType, _): .allowed
            case (.tunnelPort, .gue): .required
            case (.tunnelNoChecksum, .gue), (.tunnelChecksum, .gue),
                (.tunnelRemoteChecksum, .gue), (.tunnelNoChecksum, .gre), (.tunnelChecksum, .gre):
                .exclusive
            default: .refused
            }
        }
    }

    @Sendable static func list(_ values: inout LineValues) throws(CommandError) {
        let isNoTable = values.has(.connection) || values.has(.timeout) || values.has(.daemon)
        let hasColumns = values.has(.stats) || values.has(.rate) || values.has(.thresholds)
        let hasPersistence = values.has(.persistentConnections) && !values.has(.connection)
        guard !isNoTable || !(hasColumns || hasPersistence) else {
            throw .line("options conflicts in the list command")
        }
    }
}
