internal import LVS

/// The commands carried out, each as its requests to the director (ipvsadm-cli section 7).
enum TableCommands {
    /// Adds, edits or deletes a service or a server, or local addresses.
    @Sendable static func change(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        guard let change = TableChange(values) else { throw .tryHelp(program: session.program) }
        try ask(values, session) { table throws(Refusal) in
            try table.begin(change)
            try table.finish()
        }
    }

    @Sendable static func flush(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        try ask(values, session) { table throws(Refusal) in try table.flush() }
    }

    @Sendable static func zero(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        let service = values.service
        // No service, or the one of zeroes only, means all of them.
        let isAll =
            !service.isMark && service.port == 0
            && (service.address == .anyV4 || service.address == .anyV6)
        try ask(values, session) { table throws(Refusal) in
            try table.zero(isAll ? nil : service.record)
        }
    }

    @Sendable static func setTimeouts(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        let seconds = values.timeouts.map(Int32.init)
        try ask(values, session) { table throws(Refusal) in
            try table.setTimeouts(
                TimeoutsRecord(
                    tcpSeconds: seconds[0], tcpFinSeconds: seconds[1], udpSeconds: seconds[2]))
        }
    }

    @Sendable static func startDaemon(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        let daemon = values.daemon
        let group: DaemonRecord.Group? =
            switch daemon.group {
            case (let address, .v4)?: .v4(address)
            case (let address, .v6)?: .v6(address)
            case nil: nil
            }
        let record = DaemonRecord(
            state: daemon.state, interface: daemon.interface ?? "eth0", syncID: daemon.syncID,
            maximumBytes: daemon.maximumLength == 0 ? nil : daemon.maximumLength, group: group,
            port: daemon.port == 0 ? nil : daemon.port,
            timeToLive: daemon.ttl == 0 ? nil : daemon.ttl)
        try ask(values, session) { table throws(Refusal) in try table.startDaemon(record) }
    }

    @Sendable static func stopDaemon(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        let record = DaemonRecord(state: values.daemon.state, syncID: values.daemon.syncID)
        try ask(values, session) { table throws(Refusal) in try table.stopDaemon(record) }
    }

    @Sendable static func save(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        let services = try ask(values, session) { table throws(Refusal) in
            try ListedService.all(of: table)
        }
        let names = AddressNames(numeric: values.has(.numeric))
        session.print(SavedRules.text(ListingOrder.sorted(services), names: names))
    }

    /// Asks the director and words its refusal as this command words it.
    static func ask<Answer>(
        _ values: LineValues, _ session: CommandSession,
        _ request: (any DirectorTable) throws(Refusal) -> Answer
    ) throws(CommandError) -> Answer {
        let table = try session.table()
        do throws(Refusal) {
            return try request(table)
        } catch {
            throw .refused(error, by: values.command)
        }
    }
}

extension LineValues.Service {
    /// The service as it travels.
    var record: ServiceRecord {
        let identity: ServiceRecord.Identity =
            isMark
            ? .mark(mark)
            : .endpoint(
                transport: UInt16((transport ?? .tcp).rawValue), address, port: port)
        return ServiceRecord(
            family: family, identity: identity, scheduler: scheduler, flags: flags,
            timeoutSeconds: persistenceSeconds, netmask: netmask, persistenceEngine: engine,
            fullNAT: fullNAT)
    }
}

extension LineValues.Server {
    /// The server as it travels.
    var record: DestinationRecord {
        let type: UInt8 =
            switch tunnelType {
            case .ipip: 0
            case .gue: 1
            case .gre: 2
            }
        let wire = method == .fullNAT ? ForwardingMethod.masquerading : method
        return DestinationRecord(
            family: family, address: address, port: port, method: UInt32(wire.rawValue),
            weight: weight, upperThreshold: upperThreshold, lowerThreshold: lowerThreshold,
            tunnelType: type, tunnelPort: tunnelPort, tunnelFlags: tunnelFlags,
            fullNAT: method == .fullNAT)
    }
}

extension LineValues.Daemon {
    var state: UInt32 {
        (isMaster ? DaemonRecord.Role.master : DaemonRecord.Role.backup).rawValue
    }
}
