import LVS
import TestKit

/// Damage to a connection table that a director left: records of a place, two bytes, and a byte that
/// stands there then.
///
/// A new director adopts the table. It must be in order, take packets of the connections there are, and
/// come to its end: nothing may live for ever.
enum TableInput {
    /// Bytes of the servers' directory that the first places mean.
    private static let directoryBytes = 256
    private static let mostDamages = 1024
    private static let virtual = IPAddress(v4: 0x0a00_0001)
    private static let wideVirtual = IPAddress(high: 0xfd00_0000_0000_0001, low: 100)
    private static let local = IPAddress(v4: 0x0a01_00c8)

    static func run(_ input: [UInt8]) {
        let rig = KeptRig(connections: 64)
        do {
            try configure(rig.director)
        } catch {
            preconditionFailure("the services are in order: \(error)")
        }
        fill(rig)
        var reader = InputReader(input)
        do throws(TableRefusal) {
            let next = try KeptRig(after: rig, parts: 2) { bytes in
                for _ in 0..<mostDamages where !reader.isAtEnd {
                    let place = Int(reader.word())
                    let isServer = place < directoryBytes
                    let start = isServer ? 0 : ServerDirectory.bytes - directoryBytes
                    bytes[(start + place) % bytes.count] = reader.byte()
                }
            }
            use(next)
        } catch {
            // Named, and not used.
            precondition(!error.words.isEmpty)
        }
    }

    private static func configure(_ director: Director) throws(CommandRefusal) {
        let services: [(ServiceKey, [RealServer])] = [
            (.address(.tcp, virtual, port: 80), [real(0), real(1, .fullNAT)]),
            (.address(.tcp, virtual, port: 21), [real(2)]),
            (
                .address(.tcp, wideVirtual, port: 80),
                [RealServer(address: wideReal, port: 8080, method: .masquerading)]
            ),
        ]
        for (key, servers) in services {
            try director.add(VirtualService(key: key, scheduler: "rr"))
            if servers.contains(where: { $0.method == .fullNAT }) {
                try director.addLocals([local], to: key)
            }
            for server in servers { try director.add(server, to: key) }
        }
    }

    private static let wideReal = IPAddress(high: 0xfd00_0000_0000_0002, low: 3)

    private static func real(
        _ number: UInt32, _ method: ForwardingMethod = .masquerading
    ) -> RealServer {
        RealServer(address: IPAddress(v4: 0x0a01_0010 + number), port: 8080, method: method)
    }

    // MARK: What a director leaves

    private static func fill(_ rig: KeptRig) {
        let table = rig.director.table
        func insert(_ spec: ConnectionSpec) -> Connection? {
            guard case .inserted(let made) = table.insert(spec, worker: 0, now: rig.now) else {
                return nil
            }
            return made
        }
        var template = spec(1, server: 0)
        template.isTemplate = true
        template.isInactive = false
        template.clientPort = 0
        let held = insert(template)
        for client in UInt32(2)..<8 {
            var plain = spec(client, server: 0)
            if let held, table.hold(held) { plain.controller = held.number }
            _ = insert(plain)
            _ = insert(wide(UInt64(client)))
            var full = spec(client + 20, server: 1)
            full.local = LocalEndpoint(address: local, port: UInt16(5000 + client))
            var options = FullNATOptions.none
            options.clientAddress = .proxyV2
            options.startsSequenceAnew = client & 1 == 0
            full.bind(options)
            _ = insert(full)
        }
        var control = spec(40, server: 2, port: 21)
        control.bindHelper()
        if let made = insert(control), table.hold(made) {
            var expected = spec(40, server: 2, port: 30_000)
            expected.clientPort = 0
            expected.hasUnknownPort = true
            expected.controller = made.number
            _ = insert(expected)
        }
    }

    private static func spec(
        _ client: UInt32, server: UInt16, port: UInt16 = 80
    ) -> ConnectionSpec {
        let tuple = ConnectionTuple(
            source: IPAddress(v4: 0x0b00_0000 + client), sourcePort: 4000, destination: virtual,
            destinationPort: port, transport: .tcp)
        var spec = ConnectionSpec(
            tuple: tuple, real: real(UInt32(server)).address, realPort: 8080,
            method: .masquerading, destination: server)
        spec.timeoutSeconds = 60
        return spec
    }

    private static func wide(_ client: UInt64) -> ConnectionSpec {
        let tuple = ConnectionTuple(
            source: IPAddress(high: 0xfd00_0000_0000_0003, low: client), sourcePort: 4000,
            destination: wideVirtual, destinationPort: 80, transport: .tcp)
        var spec = ConnectionSpec(
            tuple: tuple, real: wideReal, realPort: 8080, method: .masquerading, destination: 3)
        spec.timeoutSeconds = 60
        return spec
    }

    // MARK: What the next one does with it

    private static func use(_ rig: KeptRig) {
        let (director, table) = (rig.director, rig.director.table)
        precondition(table.disorder() == [], "\(table.disorder())")
        do {
            try configure(director)
        } catch {
            preconditionFailure("the services come back: \(error)")
        }
        director.setPorts([
            Port(index: 0, name: "all", hardware: HardwareAddress(value: 2), mtu: 1500)
        ])
        director.setRoutes([
            Route(prefix: .anyV4, prefixLength: 0, kind: .forward(port: 0, gateway: nil))
        ])
        var frames: [[UInt8]] = []
        table.forEach { entry in
            guard entry.client.isV4, entry.real.isV4, frames.count < 64 else { return }
            frames.append(frame(entry.client, entry.clientPort, entry.virtual, entry.virtualPort))
            frames.append(
                frame(entry.real, entry.realPort, entry.local.address, entry.local.port))
        }
        let lane = FrameLane()
        _ = lane.send(
            frames, on: 0, checksum: .complete, by: director.workers[0], now: rig.now)
        _ = lane.turn(by: director.workers[0], now: rig.now)
        precondition(table.disorder() == [], "\(table.disorder())")
        // Longer than any timeout, and what hangs on others goes after these.
        var now = rig.now
        for _ in 0..<5 {
            now = now.advanced(bySeconds: UInt64(Timeouts.longest) + 100)
            director.tick(now)
        }
        precondition(table.count == 0, "\(table.count) connections live for ever")
        precondition(table.disorder() == [], "\(table.disorder())")
    }

    private static func frame(
        _ from: IPAddress, _ fromPort: UInt16, _ to: IPAddress, _ toPort: UInt16
    ) -> [UInt8] {
        let hardware = HardwareAddress(value: 0x0200_0a01_0001)
        return PacketBuilder(from: from, at: hardware, to: to, at: hardware)
            .tcp(from: fromPort, to: toPort, flags: 16)
    }
}
