extension TableCommands {
    /// The listings, the first form that applies (ipvsadm-cli section 5).
    @Sendable static func list(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        let names = AddressNames(numeric: values.has(.numeric))
        if values.has(.connection) { return try connections(values, session, names) }
        if values.has(.serviceAddress) { return try one(values, session, names) }
        let json = session.own.json
        if values.has(.timeout) {
            let timeouts = try ask(values, session) { table throws(Refusal) in
                try table.timeouts()
            }
            return session.print(
                json ? ListingJSON.timeouts(timeouts).document : StateText.timeouts(timeouts))
        }
        if values.has(.daemon) {
            let daemons = try ask(values, session) { table throws(Refusal) in
                try table.daemons()
            }
            return session.print(
                json ? ListingJSON.daemons(daemons).document : StateText.daemons(daemons))
        }
        let (size, services) = try ask(values, session) { table throws(Refusal) in
            (try table.tableSize(), try ListedService.all(of: table))
        }
        show(services, tableSize: size, values, session, names)
    }

    private static func one(
        _ values: LineValues, _ session: CommandSession, _ names: AddressNames
    ) throws(CommandError) {
        let listed = try ask(values, session) { table throws(Refusal) in
            let service = try table.service(values.service.record)
            return try ListedService(service, of: table)
        }
        show([listed], tableSize: nil, values, session, names)
    }

    /// Shows services for programs, live with rates, or in the columns that were asked for.
    private static func show(
        _ services: [ListedService], tableSize: UInt32?, _ values: LineValues,
        _ session: CommandSession, _ names: AddressNames
    ) {
        let ordered = values.has(.noSort) ? services : ListingOrder.sorted(services)
        let columns = columns(values)
        if session.own.json {
            session.print(ListingJSON.table(ordered, tableSize: tableSize).document)
        } else if session.own.watchSeconds != nil, case .plain = columns {
            session.show(ordered, names)
        } else {
            session.print(
                Listing(columns: columns, names: names).text(ordered, tableSize: tableSize))
        }
    }

    /// The local addresses of one service, or of all that have some.
    @Sendable static func listLocals(
        _ values: LineValues, _ session: CommandSession
    ) throws(CommandError) {
        let listed = try ask(values, session) { table throws(Refusal) in
            let services =
                values.has(.serviceAddress)
                ? [try table.service(values.service.record)] : try table.services()
            var listed: [ListedService] = []
            for service in services where service.localCount > 0 {
                listed.append(
                    ListedService(
                        service: service, servers: [], locals: try table.locals(of: service)))
            }
            return listed
        }
        let ordered = ListingOrder.sorted(listed)
        session.print(
            session.own.json
                ? ListingJSON.locals(ordered).document
                : LocalListing(names: AddressNames(numeric: values.has(.numeric))).text(ordered))
    }

    private static func connections(
        _ values: LineValues, _ session: CommandSession, _ names: AddressNames
    ) throws(CommandError) {
        let table = try session.table()
        if session.own.json {
            var listing = ConnectionJSON()
            session.print(ConnectionJSON.begin)
            do throws(Refusal) {
                try table.read("connections") { session.print(listing.take($0)) }
            } catch {
                throw CommandError(status: 1, text: error.ownWords, endsRestore: true)
            }
            return session.print(listing.end)
        }
        var listing = ConnectionListing(
            names: names, withEngine: values.has(.persistentConnections))
        var isBegun = false
        do throws(Refusal) {
            try table.read("ip_vs_conn") { piece in
                if !isBegun { session.print(listing.header) }
                isBegun = true
                session.print(listing.take(piece))
            }
        } catch {
            throw CommandError(
                status: 1, text: "cannot open file /proc/net/ip_vs_conn", endsRestore: true)
        }
        if !isBegun { session.print(listing.header) }
    }

    /// The column set: the first of these options.
    private static func columns(_ values: LineValues) -> Listing.Columns {
        let exact = values.has(.exact)
        if values.has(.stats) { return .stats(exact: exact) }
        if values.has(.rate) { return .rate(exact: exact) }
        if values.has(.thresholds) { return .thresholds }
        if values.has(.persistentConnections) { return .persistentConnections }
        return values.has(.tunnelInfo) ? .tunnelInfo : .plain
    }
}

extension CommandSession {
    /// Shows the table with rates, for a listing that goes on.
    fileprivate func show(_ services: [ListedService], _ names: AddressNames) {
        var table = live ?? LiveTable(names: names)
        print(table.text(services, at: nanoseconds))
        live = table
    }
}
