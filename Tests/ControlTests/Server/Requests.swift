import Control
import LVS

/// One request of a test, as a client would put it on the wire.
struct Request: Sendable {
    var type = NetlinkType.ipvs
    var command: UInt8
    var flags: NetlinkFlags = [.request, .acknowledge]
    var sequence: UInt32 = 77
    var port: UInt32 = 4711
    var body: @Sendable (inout NetlinkWriter) -> Void = { _ in }

    init(
        _ command: IPVSCommand, dump: Bool = false,
        _ body: @escaping @Sendable (inout NetlinkWriter) -> Void = { _ in }
    ) {
        self.command = command.rawValue
        if dump { flags.formUnion(.dump) }
        self.body = body
    }

    init(
        _ type: UInt16, _ command: UInt8, dump: Bool = false,
        _ body: @escaping @Sendable (inout NetlinkWriter) -> Void = { _ in }
    ) {
        self.type = type
        self.command = command
        if dump { flags.formUnion(.dump) }
        self.body = body
    }

    var bytes: [UInt8] {
        var writer = NetlinkWriter()
        writer.message(type, flags, sequence: sequence, port: port) { writer in
            writer.generic(command)
            body(&writer)
        }
        return writer.bytes
    }
}

/// The messages that answer one packet of requests.
struct Answers {
    var messages: [NetlinkMessage] = []
    var packets: [[UInt8]] = []

    /// Error numbers in order, positive; 0 is an acknowledgement.
    var errors: [Int32] {
        messages.filter { $0.type == NetlinkType.error }.compactMap { message in
            let code: Int32? = message.body.number(at: 0)
            return code.map { -$0 }
        }
    }

    var error: Int32? { errors.last }
    var isDumpDone: Bool { messages.last?.type == NetlinkType.done }
    /// Messages that are neither errors nor ends.
    var data: [NetlinkMessage] { messages.filter { $0.type >= NetlinkType.controller } }
}

extension Conversation {
    mutating func ask(_ bytes: [UInt8]) -> Answers {
        var answers = Answers()
        receive(bytes)
        while let packet = nextPacket() {
            answers.packets.append(packet)
            var rest = packet[...]
            while let message = NetlinkMessage(takingFrom: &rest) {
                answers.messages.append(message)
            }
        }
        return answers
    }

    mutating func ask(_ request: Request) -> Answers { ask(request.bytes) }
}

/// The services and servers that tests speak about.
enum Sample {
    static let vip = IPAddress(v4: 0x0a00_0001)
    static let vip6 = IPAddress(high: 0x2001_0db8_0000_0000, low: 1)
    static let http = ServiceRecord(
        family: .v4, identity: .endpoint(transport: 6, vip, port: 80), scheduler: "rr")
    static let dns6 = ServiceRecord(
        family: .v6, identity: .endpoint(transport: 17, vip6, port: 53), scheduler: "wlc")
    static let absent = ServiceRecord(
        family: .v4, identity: .endpoint(transport: 6, vip, port: 8080), scheduler: "rr")
    static let web1 = DestinationRecord(
        family: .v4, address: IPAddress(v4: 0x0a00_000b), port: 80, weight: 1)
    static let web2 = DestinationRecord(
        family: .v4, address: IPAddress(v4: 0x0a00_000c), port: 80, weight: 1)

    /// A director that holds `http` with `web1`, and `dns6`.
    static func target() -> ModelTarget {
        let target = ModelTarget()
        var conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: true)
        for request in [
            Request(.newService) { dns6.write(.configuration, to: &$0) },
            Request(.newService) { http.write(.configuration, to: &$0) },
            destination(.newDestination, web1),
        ] {
            precondition(conversation.ask(request).error == 0)
        }
        return target
    }

    static func service(_ command: IPVSCommand, _ service: ServiceRecord) -> Request {
        Request(command) { service.write(.configuration, to: &$0) }
    }

    static func destination(
        _ command: IPVSCommand, _ server: DestinationRecord, of service: ServiceRecord = http
    ) -> Request {
        Request(command) { writer in
            service.write(.configuration, to: &writer)
            server.write(.configuration, to: &writer)
        }
    }

    static func daemon(_ command: IPVSCommand, _ daemon: DaemonRecord) -> Request {
        Request(command) { daemon.write(to: &$0) }
    }
}

extension ServiceRecord {
    /// A copy with one thing different.
    func with<Value>(
        _ path: WritableKeyPath<ServiceRecord, Value>, _ value: Value
    ) -> ServiceRecord {
        var copy = self
        copy[keyPath: path] = value
        return copy
    }
}

extension DestinationRecord {
    /// A copy with one thing different.
    func with<Value>(
        _ path: WritableKeyPath<DestinationRecord, Value>, _ value: Value
    ) -> DestinationRecord {
        var copy = self
        copy[keyPath: path] = value
        return copy
    }
}
