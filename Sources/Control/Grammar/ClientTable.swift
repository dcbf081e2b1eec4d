internal import Posix

/// The table of the director at the other end of a control socket.
package final class ClientTable: DirectorTable {
    private let client: ControlClient

    /// Connects to the director at this path.
    package init(path: String) throws(DirectorUnreachable) {
        do throws(ControlError) {
            client = try ControlClient(path: path)
        } catch {
            throw DirectorUnreachable(error, path: path)
        }
    }

    package func tableSize() throws(Refusal) -> UInt32 {
        try ask { () throws(ControlError) in try client.information().tableSize }
    }

    package func begin(_ change: TableChange) throws(Refusal) {
        try ask { () throws(ControlError) in try client.begin(change) }
    }

    package func finish() throws(Refusal) {
        try ask { () throws(ControlError) in try client.finish() }
    }

    package func flush() throws(Refusal) {
        try ask { () throws(ControlError) in try client.flush() }
    }

    package func zero(_ service: ServiceRecord?) throws(Refusal) {
        try ask { () throws(ControlError) in try client.zero(service) }
    }

    package func services() throws(Refusal) -> [ServiceRecord] {
        try ask { () throws(ControlError) in try client.services() }
    }

    package func service(_ service: ServiceRecord) throws(Refusal) -> ServiceRecord {
        try ask { () throws(ControlError) in try client.service(service) }
    }

    package func servers(of service: ServiceRecord) throws(Refusal) -> [DestinationRecord] {
        try ask { () throws(ControlError) in try client.destinations(of: service) }
    }

    package func locals(of service: ServiceRecord) throws(Refusal) -> [LocalRecord] {
        try ask { () throws(ControlError) in try client.locals(of: service) }
    }

    package func timeouts() throws(Refusal) -> TimeoutsRecord {
        try ask { () throws(ControlError) in try client.timeouts() }
    }

    package func setTimeouts(_ timeouts: TimeoutsRecord) throws(Refusal) {
        try ask { () throws(ControlError) in try client.setTimeouts(timeouts) }
    }

    package func daemons() throws(Refusal) -> [DaemonRecord] {
        try ask { () throws(ControlError) in try client.daemons() }
    }

    package func startDaemon(_ daemon: DaemonRecord) throws(Refusal) {
        try ask { () throws(ControlError) in try client.startDaemon(daemon) }
    }

    package func stopDaemon(_ daemon: DaemonRecord) throws(Refusal) {
        try ask { () throws(ControlError) in try client.stopDaemon(daemon) }
    }

    package func read(
        _ name: String, piece: (ArraySlice<UInt8>) -> Void
    ) throws(Refusal) {
        try ask { () throws(ControlError) in try client.read(name, piece: piece) }
    }

    package func explanation(
        of packet: String, forPrograms: Bool
    ) throws(Refusal) -> String {
        let name = forPrograms ? "explain.json" : "explain"
        return try ask { () throws(ControlError) in try client.text(name, key: packet) }
    }

    package func expectPacket(_ command: String, _ filter: String) throws(Refusal) {
        try ask { () throws(ControlError) in
            try client.write("next", key: command, value: filter)
        }
    }

    package func capture(_ command: String, _ request: String) throws(Refusal) {
        try ask { () throws(ControlError) in
            try client.write("capture", key: command, value: request)
        }
    }

    package func setting(_ name: String) throws(Refusal) -> String {
        let text = try ask { () throws(ControlError) in try client.text("settings", key: name) }
        return text.last == "\n" ? String(text.dropLast()) : text
    }

    package func changeSetting(_ name: String, to value: String) throws(Refusal) {
        try ask { () throws(ControlError) in
            try client.write("settings", key: name, value: value)
        }
    }

    package func saveState() throws(Refusal) {
        try ask { () throws(ControlError) in
            try client.write("state", key: "save", value: "now")
        }
    }

    package func changeMarks(_ command: String, _ rule: String) throws(Refusal) {
        try ask { () throws(ControlError) in
            try client.write("marks", key: command, value: rule)
        }
    }

    /// A connection that breaks ends a command like a refusal does, in its own words.
    private func ask<Answer>(
        _ request: () throws(ControlError) -> Answer
    ) throws(Refusal) -> Answer {
        do throws(ControlError) {
            return try request()
        } catch {
            if case .refused(let refusal) = error { throw refusal }
            throw Refusal(ErrorNumber(rawValue: error.number), error.detail)
        }
    }
}

extension DirectorUnreachable {
    init(_ error: ControlError, path: String) {
        let detail = error.detail ?? ErrorNumber(rawValue: error.number).reason
        let isPermission =
            switch error {
            case .unreachable(let system), .broken(let system): system.isPermission
            case .refused(let refusal): refusal.number == .notPermitted
            case .garbled: false
            }
        self.init(
            reason: isPermission
                ? "Permission denied (you must be root)" : "Protocol not available",
            advice: """
                No director could be asked at \(path) (\(detail)).
                Is one running in this network namespace? --control PATH names another socket.
                """)
    }
}
