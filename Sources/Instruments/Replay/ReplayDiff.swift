package import LVS

/// One capture through two sets of rules: which connections go elsewhere, which clients lose their
/// server, what is dropped, and who has how much to do when.
///
/// Both directors get the same packets at the same times. Memory grows with clients up to a bound, not
/// with packets.
package final class ReplayDiff {
    /// A connection that the two sides treat differently; nil where a side makes none.
    package struct Moved: Hashable, Sendable {
        package var packet: UInt64
        package var flow: ClientFlow
        package var before: ServerName?
        package var after: ServerName?
    }

    /// What is counted for each side.
    package struct Side: Hashable, Sendable {
        package var connections: UInt64 = 0
        /// New connections of a client to another server than its last one to that service.
        package var strayed: UInt64 = 0
        package var drops: [DropReason: UInt64] = [:]
    }

    /// A client of a virtual address and port.
    private struct Client: Hashable {
        var address: IPAddress
        var transport: TransportProtocol
        var virtual: IPAddress
        var port: UInt16
    }

    /// Where a client was last, by side, and whether it ever went elsewhere.
    private struct Stay {
        var last: [ServerName?] = [nil, nil]
        var hasStrayed = [false, false]
    }

    /// Most connections that are listed one by one.
    package static let mostListed = 20
    /// Most clients that are watched for a change of server.
    package static let mostClients = 1 << 20

    package private(set) var sides = [Side(), Side()]
    /// Packets that connections were opened by on one side at least.
    package private(set) var opened: UInt64 = 0
    package private(set) var same: UInt64 = 0
    package private(set) var movedCount: UInt64 = 0
    package private(set) var missing: [UInt64] = [0, 0]
    /// The first of them.
    package private(set) var moved: [Moved] = []
    /// Packets with another fate that open no connection: sent on one side and not on the other.
    package private(set) var otherFates: UInt64 = 0
    package private(set) var isBeyondClients = false
    package private(set) var load = LoadOverTime()
    private var stays: [Client: Stay] = [:]
    private let runs: [ReplaySide]

    package init(_ before: ReplayRun, _ after: ReplayRun) {
        runs = [ReplaySide(before), ReplaySide(after)]
    }

    /// Packets so far.
    package var number: UInt64 { runs[0].run.number }

    /// Feeds the next packet to both; false at the end.
    package func step() -> Bool {
        let more = runs.map { $0.run.step() }
        compare()
        return more[0] && more[1]
    }

    /// To be called after the last packet.
    package func finish() {
        for side in runs { side.run.replay.finish() }
        compare()
        for (index, side) in runs.enumerated() {
            for (reason, frames) in side.run.replay.director.dropCounts() where frames > 0 {
                sides[index].drops[reason] = frames
            }
        }
    }

    private func compare() {
        while let before = runs[0].next() {
            // The same packets are decided in the same bursts.
            guard let after = runs[1].next() else { return }
            compare(before, after)
        }
        _ = runs[1].next()
    }

    private func compare(_ before: ReplaySide.Outcome, _ after: ReplaySide.Outcome) {
        let outcomes = [before, after]
        for (index, outcome) in outcomes.enumerated() where outcome.isNew {
            guard let connection = outcome.connection else { continue }
            sides[index].connections += 1
            load.add(connection.server, at: outcome.time, side: index)
            watch(connection, side: index)
        }
        guard before.isNew || after.isNew else {
            if before.verdict.kind != after.verdict.kind { otherFates += 1 }
            return
        }
        opened += 1
        let servers = outcomes.map { $0.isNew ? $0.connection?.server : nil }
        guard servers[0] != servers[1] else {
            same += 1
            return
        }
        for index in 0..<2 where servers[index] == nil { missing[index] += 1 }
        if servers[0] != nil, servers[1] != nil { movedCount += 1 }
        guard moved.count < ReplayDiff.mostListed,
            let flow = (before.isNew ? before.connection : after.connection)?.flow
        else { return }
        moved.append(
            Moved(packet: before.packet, flow: flow, before: servers[0], after: servers[1]))
    }

    private func watch(_ connection: ReplaySide.Connected, side: Int) {
        let client = Client(
            address: connection.flow.client, transport: connection.flow.transport,
            virtual: connection.flow.virtual, port: connection.flow.virtualPort)
        guard stays[client] != nil || stays.count < ReplayDiff.mostClients else {
            isBeyondClients = true
            return
        }
        var stay = stays[client] ?? Stay()
        if let last = stay.last[side], last != connection.server {
            stay.hasStrayed[side] = true
            sides[side].strayed += 1
        }
        stay.last[side] = connection.server
        stays[client] = stay
    }

    /// Clients of a service: all, and those that one side keeps on one server and the other does not.
    package var clients: (all: Int, keptOnlyBefore: Int, keptOnlyAfter: Int) {
        var counts = (all: stays.count, keptOnlyBefore: 0, keptOnlyAfter: 0)
        for stay in stays.values where stay.hasStrayed[0] != stay.hasStrayed[1] {
            if stay.hasStrayed[1] { counts.keptOnlyBefore += 1 } else { counts.keptOnlyAfter += 1 }
        }
        return counts
    }

    /// True when both sets of rules did the same with every packet.
    package var isSame: Bool {
        same == opened && otherFates == 0 && sides[0].drops == sides[1].drops
    }
}
