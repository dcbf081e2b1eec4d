import Control
import Foundation
import LVS
import Posix
import Testing

/// What the kernel's IPVS answered to right requests and to every kind of wrong one, recorded by
/// `Lab/kernel/dialect.py`, asked of the engine.
struct DialectTests {
    /// A case: packets of requests and the messages they are answered with, in hexadecimal, the
    /// family's number being 0x7ac3; listings that are gone and new afterwards.
    struct Case: Decodable {
        var name: String
        var packets: [String]
        var answers: [String]
        var gone: [String]?
        var new: [String]?
        /// Why a director answers otherwise on purpose.
        var known: String?
    }

    @Test func everyRequestIsAnsweredAsByTheKernelAndChangesTheSame() throws {
        let cases: [Case] = Fixtures.lines("dialect")
        try #require(cases.count > 1000)
        let peer = try Peer()
        for row in cases {
            peer.prepare()
            let before = peer.look()
            let answers = inOrder(row.packets.flatMap { peer.ask(bytes(of: $0)) })
            let after = peer.look()
            let gone = before.filter { !after.contains($0) }.sorted()
            let new = after.filter { !before.contains($0) }.sorted()
            let same =
                answers == row.answers && gone == row.gone ?? [] && new == row.new ?? []
            if let known = row.known {
                #expect(!same, "\(row.name): as by the kernel, in spite of: \(known)")
            } else {
                #expect(answers == row.answers, "\(row.name): answers")
                #expect(gone == row.gone ?? [], "\(row.name): gone")
                #expect(new == row.new ?? [], "\(row.name): new")
            }
        }
    }

    @Test func whoeverMayNotCommandIsToldSoAndChangesNothing() throws {
        let peer = try Peer()
        peer.prepare()
        let before = peer.look()
        var stranger = peer.conversation(privileged: false)
        for command in IPVSCommand.allCases where command != .setInformation {
            let isList = [.getDestination, .getDaemon, .getLocal].contains(command)
            let request = Request(command, dump: isList) { Sample.http.write(.identity, to: &$0) }
            #expect(stranger.ask(request).errors == [ErrorNumber.notPermitted.rawValue])
        }
        for command in ExtraCommand.allCases {
            #expect(
                stranger.ask(Request(NetlinkType.extra, command.rawValue)).errors
                    == [ErrorNumber.notPermitted.rawValue])
        }
        #expect(peer.look() == before)
        // Which families there are is no secret.
        let families = Request(NetlinkType.controller, ControllerCommand.getFamily) {
            $0.attribute(AttributeNumber.Family.name, "IPVS")
        }
        #expect(stranger.ask(families).errors == [0])
    }

    /// Entries of a list are in no order that says anything, and compared sorted.
    private func inOrder(_ answers: [String]) -> [String] {
        var ordered: [String] = []
        var entries: [String] = []
        for answer in answers {
            // The second byte of the flags is behind the one that says MULTI.
            if bytes(of: answer)[6] & 2 != 0 {
                entries.append(answer)
            } else {
                ordered += entries.sorted() + [answer]
                entries = []
            }
        }
        return ordered + entries.sorted()
    }

    /// A director and a client of it.
    private final class Peer: DaemonTarget {
        private let memory: MappedMemory
        private let director: Director
        private let target: DirectorTarget
        private var now = Instant(nanoseconds: 1)
        private var asking: Conversation?

        init() throws {
            let configuration = Director.Configuration(
                connections: 1000, seed: 1, listedTableSize: 4096)
            memory = try MappedMemory(bytes: Director.tableBytes(configuration))
            director = unsafe Director(
                configuration, tableMemory: TableMemory(base: memory.base, count: memory.count),
                now: now)
            target = DirectorTarget(director)
            asking = conversation(privileged: true)
        }

        func conversation(privileged: Bool) -> Conversation {
            Conversation(CommandExecutor(target: target, daemon: self), privileged: privileged)
        }

        func status() -> String { "" }
        func statusForPrograms() -> JSONValue { .members(["well": .boolean(true)]) }
        func saveState() throws(CommandRefusal) { throw .notSupported("no state is kept here") }

        func ask(_ packet: [UInt8]) -> [String] {
            let answers = asking?.ask(replacing(0x7ac3, by: NetlinkType.ipvs, in: packet))
            return answers?.messages.map(neutral) ?? []
        }

        private func ask(_ request: Request) { _ = asking?.ask(request) }

        /// The table that every case begins with.
        func prepare() {
            ask(Request(.flush))
            // Deleted servers are forgotten, as if nobody had ever spoken of them.
            now = now.advanced(bySeconds: 120)
            director.tick(now)
            for state in UInt32(1)...2 { ask(Sample.daemon(.deleteDaemon, .init(state: state))) }
            ask(
                Request(.setConfiguration) { writer in
                    TimeoutsRecord(tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300)
                        .write(to: &writer)
                })
            ask(Sample.service(.newService, Sample.http))
            ask(Sample.destination(.newDestination, Sample.web1))
            ask(Sample.service(.newService, Sample.dns6))
            ask(Sample.service(.newService, Self.marked))
        }

        private static let marked = ServiceRecord(
            family: .v4, identity: .mark(7), scheduler: "wrr")

        /// Everything the table holds.
        func look() -> [String] {
            var requests = [
                Request(.getService, dump: true), Request(.getConfiguration),
                Request(.getDaemon, dump: true),
            ]
            for service in [Sample.http, Sample.dns6, Self.marked, Sample.absent] {
                requests.append(
                    Request(.getDestination, dump: true) { service.write(.identity, to: &$0) })
            }
            return requests.flatMap { request in
                (asking?.ask(request).data ?? []).map { message in
                    var bytes = Array(message.bytes)
                    // Sequence and port as the recording has them.
                    bytes.replaceSubrange(8..<16, with: [77, 0, 0, 0, 0x67, 0x12, 0, 0])
                    return hexadecimal(replacing(NetlinkType.ipvs, by: 0x7ac3, in: bytes, at: 4))
                }
            }
        }

        /// A message as the kernel would have put it: without the sentence, and with the number of
        /// the family that the recording has.
        private func neutral(_ message: NetlinkMessage) -> String {
            var bytes = Array(message.bytes)
            if message.type == NetlinkType.error {
                let repeated: UInt32 = message.body.dropFirst(4).number(at: 0) ?? 16
                let isCapped = message.flags.contains(.capped)
                bytes = Array(bytes.prefix(20 + (isCapped ? 16 : Int(repeated + 3) & ~3)))
                bytes[0] = UInt8(truncatingIfNeeded: bytes.count)
                bytes[1] = UInt8(truncatingIfNeeded: bytes.count >> 8)
                bytes[7] &= ~0x02
                bytes = replacing(NetlinkType.ipvs, by: 0x7ac3, in: bytes, at: 24)
            }
            if message.type == NetlinkType.controller || message.type == NetlinkType.error {
                return hexadecimal(bytes).replacingOccurrences(
                    of: "060001001c000000", with: "06000100c37a0000")
            }
            return hexadecimal(replacing(NetlinkType.ipvs, by: 0x7ac3, in: bytes, at: 4))
        }
    }
}

/// Replaces a number of 16 bits at a place, or wherever it stands.
private func replacing(
    _ old: UInt16, by new: UInt16, in bytes: [UInt8], at place: Int? = nil
) -> [UInt8] {
    var bytes = bytes
    let places = place.map { [$0] } ?? Array(bytes.indices.dropLast())
    for index in places where index + 1 < bytes.count {
        guard UInt16(bytes[index]) | UInt16(bytes[index + 1]) << 8 == old else { continue }
        bytes[index] = UInt8(truncatingIfNeeded: new)
        bytes[index + 1] = UInt8(truncatingIfNeeded: new >> 8)
    }
    return bytes
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}

private func bytes(of text: String) -> [UInt8] {
    let digits = text.utf8.map { $0 < 0x3a ? $0 - 0x30 : $0 - 0x57 }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
