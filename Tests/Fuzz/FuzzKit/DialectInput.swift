import Control
import LVS

/// The netlink dialect: an input is a byte of flags and then packets of requests, each with its length
/// in two bytes before it, the last one with whatever is left.
enum DialectInput {
    static func run(_ input: [UInt8], _ rig: DialectRig) {
        guard let flags = input.first else { return }
        var conversation = rig.conversation(privileged: flags & 1 == 0)
        var rest = input.dropFirst()
        while rest.count > 2, let length: UInt16 = rest.number(at: 0) {
            let packet = rest.dropFirst(2).prefix(Int(length))
            rest = rest.dropFirst(2 + Int(length))
            ask(Array(packet), &conversation, rig)
        }
    }

    private static func ask(
        _ packet: [UInt8], _ conversation: inout Conversation, _ rig: DialectRig
    ) {
        let before = rig.table
        var errors: [Int32] = []
        var packets = 0
        conversation.receive(packet)
        while let answer = conversation.nextPacket() {
            packets += 1
            precondition(packets < 10_000, "a packet of requests is answered without end")
            precondition(answer.count <= 65_536, "a packet of answers is too long for a client")
            var rest = answer[...]
            while let message = NetlinkMessage(takingFrom: &rest) {
                let code: Int32? = message.body.number(at: 0)
                if message.type == NetlinkType.error { errors.append(code ?? 1) }
            }
            precondition(rest.isEmpty, "a packet of answers is no list of messages")
        }
        precondition(errors.allSatisfy { $0 <= 0 }, "an error number is none")
        if !errors.isEmpty, !errors.contains(0), holdsOne(packet) {
            precondition(rig.table == before, "a refused request has changed the table")
        }
    }

    private static func holdsOne(_ packet: [UInt8]) -> Bool {
        var rest = packet[...]
        return NetlinkMessage(takingFrom: &rest) != nil
            && NetlinkMessage(takingFrom: &rest) == nil
    }
}

/// A director without packets, commanded over the dialect.
@safe
final class DialectRig: DaemonTarget {
    private let director: Director
    private let target: DirectorTarget
    private let memory: UnsafeMutableRawPointer
    private var executor: CommandExecutor?

    init() {
        let configuration = Director.Configuration(connections: 256, seed: 1)
        let bytes = Director.tableBytes(configuration)
        unsafe memory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        director = unsafe Director(
            configuration, tableMemory: TableMemory(base: memory, count: bytes),
            now: Instant(nanoseconds: 1))
        target = DirectorTarget(director)
        executor = CommandExecutor(target: target, daemon: self)
        let web = ServiceKey.address(.tcp, IPAddress(v4: 0x0a00_0001), port: 80)
        do throws(CommandRefusal) {
            try director.add(VirtualService(key: web, scheduler: "rr"))
            try director.add(
                RealServer(
                    address: IPAddress(v4: 0x0a00_000b), port: 80, method: .masquerading), to: web)
        } catch {
            preconditionFailure("\(error)")
        }
    }

    deinit { unsafe memory.deallocate() }

    /// Ends what the executor holds of the rig.
    func finish() { executor = nil }

    func conversation(privileged: Bool) -> Conversation {
        guard let executor else { preconditionFailure("the rig is at its end") }
        return Conversation(executor, privileged: privileged)
    }

    /// Everything that a request can change.
    struct Table: Equatable {
        var services: [VirtualService]
        var servers: [[RealServer]]
        var locals: [[IPAddress]]
        var timeouts: Timeouts
        var settings: Settings
        var marks: [MarkRule]
    }

    var table: Table {
        let listed = director.services()
        return Table(
            services: listed.map(\.service), servers: listed.map { $0.servers.map(\.server) },
            locals: listed.map(\.locals),
            timeouts: director.timeouts, settings: director.settings, marks: director.markRules)
    }

    func status() -> String { "well\n" }
    func statusForPrograms() -> JSONValue { .members(["well": .boolean(true)]) }
    func saveState() throws(CommandRefusal) { throw .notSupported("no state is kept here") }
}
