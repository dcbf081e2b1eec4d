import Control
import LVS
import Posix
import Testing

@Suite("State files")
struct StateFileTests {
    static let web = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)
    static let web6 = ServiceKey.address(
        .udp, IPAddress(high: 0x2001_0db8 << 32, low: 0x64), port: 53)
    static let mark = ServiceKey.mark(.max, .v6)

    static let markRule: MarkRule = {
        var rule = MarkRule(.set(MarkRule.Bits(7, mask: 0xff)))
        rule.destination = MarkRule.Prefix(address: IPAddress(v4: 0x0a01_0064), length: 32)
        rule.transport = .tcp
        rule.destinationPorts = [80...80, 8000...8099]
        return rule
    }()

    static let asked: FullNATOptions = {
        var options = FullNATOptions()
        options.clientAddress = .proxyV2
        options.startsSequenceAnew = true
        options.removesTimestamps = true
        return options
    }()

    /// One item of every kind, with values at the ends of their ranges.
    static let items: [StateItem] = [
        .setting(name: "expire_nodest_conn", value: "1"),
        .setting(name: "sync_threshold", value: "5 60"),
        .timeouts(TimeoutsRecord(tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 21_474_836)),
        .rule(.addMark(markRule)),
        .rule(
            .addService(
                VirtualService(
                    key: web, scheduler: "sh",
                    flags: [.persistent, .onePacket, .schedulerFlag1, .schedulerFlag3],
                    persistenceTimeoutSeconds: .max, netmask: 0xffff_ff00,
                    persistenceEngine: "sip"))),
        .rule(
            .addServer(
                web,
                RealServer(
                    address: IPAddress(v4: 0x0a02_000b), port: 8080, method: .masquerading,
                    weight: .max, upperThreshold: .max, lowerThreshold: 5))),
        .rule(
            .addServer(
                web,
                RealServer(
                    address: IPAddress(v4: 0x0a02_000c), port: 0, method: .tunnel, weight: 0,
                    tunnel: .gue(port: 6080, flags: 2)))),
        .rule(.addService(VirtualService(key: web6, scheduler: "rr", netmask: 64))),
        .rule(.addLocal(web6, IPAddress(v4: 0x0a02_0014))),
        .rule(.addLocal(web6, IPAddress(high: 0xfd00 << 48, low: 0x14))),
        .rule(
            .addServer(
                web6,
                RealServer(address: IPAddress(v4: 0x0a02_000d), port: 53, method: .fullNAT))),
        .rule(
            .addServer(
                web6,
                RealServer(
                    address: IPAddress(high: 0xfd00 << 48, low: 1), port: 53, method: .tunnel,
                    tunnel: .gre(flags: 1)))),
        .rule(
            .addService(VirtualService(key: mark, scheduler: "wlc", fullNAT: asked))),
        .daemon(
            DaemonRecord(
                state: 1, interface: "eth0", syncID: 255, maximumBytes: 1472,
                group: .v4(IPAddress(v4: 0xe000_0051)), port: 8848, timeToLive: 1)),
        .daemon(DaemonRecord(state: 2, interface: "eth1", syncID: 0)),
        .applied(.addService(VirtualService(key: web6, scheduler: "wrr"))),
    ]

    @Test("What is written is read back, item by item")
    func everyItemComesBack() {
        let reading = StateFile.read(StateFile.bytes(of: Self.items))
        #expect(reading.damage == [])
        #expect(reading.items.map(\.item) == Self.items)
    }

    @Test("A file without items is whole")
    func noItems() {
        let reading = StateFile.read(StateFile.bytes(of: []))
        #expect(reading.damage == [] && reading.items.isEmpty)
    }

    @Test("A file cut short at any byte is damaged, and only whole lines of it are trusted")
    func cutFile() {
        let whole = StateFile.bytes(of: Self.items)
        for length in 0..<whole.count {
            let reading = StateFile.read(Array(whole[..<length]))
            #expect(!reading.damage.isEmpty, "cut at \(length)")
            let items = reading.items.map(\.item)
            #expect(items[...] == Self.items.prefix(items.count), "cut at \(length)")
        }
    }

    @Test("A changed byte anywhere is found, and the other lines are trusted")
    func changedByte() {
        let whole = StateFile.bytes(of: Self.items)
        let title = whole.firstIndex(of: 0x0a) ?? 0
        for position in whole.indices {
            var bytes = whole
            bytes[position] ^= 0x04
            let reading = StateFile.read(bytes)
            #expect(!reading.damage.isEmpty, "byte \(position)")
            let fewest = position <= title ? 0 : Self.items.count - 2
            #expect(reading.items.count >= fewest, "byte \(position)")
            #expect(reading.items.allSatisfy { Self.items.contains($0.item) }, "byte \(position)")
        }
    }

    @Test("A line that is missing, doubled or moved is noticed by the last line")
    func missingLine() {
        let lines = StateFile.bytes(of: Self.items).split(separator: 0x0a).map { $0 + [0x0a] }
        var missing = lines
        missing.remove(at: 3)
        var doubled = lines
        doubled.insert(lines[2], at: 2)
        var moved = lines
        moved.swapAt(1, 2)
        for changed in [missing, doubled, moved] {
            let reading = StateFile.read(Array(changed.joined()))
            #expect(reading.damage.map(\.line) == [changed.count])
        }
    }

    @Test("No bytes make the reader trap")
    func hostileBytes() {
        var generator = SystemRandomNumberGenerator()
        let whole = StateFile.bytes(of: Self.items)
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1..<40, using: &generator) {
                let position = Int.random(in: bytes.indices, using: &generator)
                bytes[position] = UInt8.random(in: 0...255, using: &generator)
            }
            #expect(StateFile.read(bytes).damage.isEmpty == (bytes == whole))
        }
    }
}

@Suite("Restoring a state")
struct StateRestorationTests {
    @Test("A table made anew from its state is equal, order included")
    func tableComesBack() throws {
        let old = ModelTarget()
        try old.add(VirtualService(key: StateFileTests.web, scheduler: "rr"))
        try old.set("drop_packet", to: "3")
        try old.setTimeouts(TimeoutsRecord(tcpSeconds: 11, tcpFinSeconds: 12, udpSeconds: 13))
        for last in [11, 12, 13] as [UInt32] {
            let server = RealServer(
                address: IPAddress(v4: 0x0a02_0000 + last), port: 80, method: .masquerading)
            try old.add(server, to: StateFileTests.web)
        }
        let locals = [7, 5, 6].map { IPAddress(v4: 0x0a02_0100 + $0) }
        try old.addLocals(locals, to: StateFileTests.web)
        let rules = old.state.entries.flatMap { entry in
            [Rule.addService(entry.service)]
                + entry.locals.map { .addLocal(entry.service.key, $0) }
                + entry.servers.reversed().map { .addServer(entry.service.key, $0) }
        }
        let items = StateItem.all(
            rules: rules, applied: [], settings: old.settings(), timeouts: old.timeouts,
            daemons: [])
        let new = ModelTarget()
        let restoration = StateRestoration(
            StateFile.read(StateFile.bytes(of: items)).items, to: new
        ) { _ in }
        #expect(restoration.refused == [])
        #expect(restoration.services == 1 && restoration.servers == 3)
        #expect(new.state == old.state)
    }

    @Test("What the director refuses is named with its line, and the rest is restored")
    func refusedItems() throws {
        let target = ModelTarget()
        let server = RealServer(
            address: IPAddress(v4: 0x0a02_000b), port: 80, method: .masquerading)
        let items: [StateItem] = [
            .setting(name: "no_such_setting", value: "1"),
            .rule(.addServer(StateFileTests.web6, server)),
            .rule(.addService(VirtualService(key: StateFileTests.web, scheduler: "future"))),
            .rule(.addService(VirtualService(key: StateFileTests.web6, scheduler: "rr"))),
        ]
        let restoration = StateRestoration(
            StateFile.read(StateFile.bytes(of: items)).items, to: target
        ) { _ in }
        #expect(restoration.refused.map(\.line) == [2, 3, 4])
        #expect(restoration.refused[1].text.contains("no such service"))
        #expect(restoration.refused[2].text.contains("future"))
        #expect(target.state.entries.map(\.service.key) == [StateFileTests.web6])
    }
}

@Suite("Keeping a state")
final class StateKeeperTests {
    private let directory = "/tmp/state-test-\(UInt64.random(in: 0 ... .max))"
    private var path: String { directory + "/state" }

    init() throws { try Files.makeDirectory(directory) }

    deinit {
        for file in [path, path + ".lock"] { Files.remove(file) }
        Files.removeDirectory(directory)
    }

    private func at(milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: milliseconds * 1_000_000)
    }

    @Test("The file follows a change, for its owner alone")
    func fileFollows() throws {
        let keeper = try StateKeeper(path: path)
        keeper.contents = { StateFileTests.items }
        #expect(keeper.tick(at(milliseconds: 1)) == nil)
        #expect(!Files.exists(path))
        keeper.noteChange()
        #expect(keeper.tick(at(milliseconds: 2)) == nil)
        #expect(keeper.end() == nil)
        #expect(try Files.readBytes(path) == StateFile.bytes(of: StateFileTests.items))
        #expect(Files.identity(path)?.mode == 0o600)
        #expect(!Files.exists(path + ".new"))
    }

    @Test("Many changes make few files, and the last change is never lost")
    func changesAreGathered() throws {
        let keeper = try StateKeeper(path: path)
        var rendered = 0
        keeper.contents = {
            rendered += 1
            return [.setting(name: "n", value: String(rendered))]
        }
        for millisecond in 0..<400 {
            keeper.noteChange()
            _ = keeper.tick(at(milliseconds: UInt64(millisecond)))
        }
        #expect((1...3).contains(rendered), "rendered \(rendered) times")
        #expect(keeper.end() == nil)
        let reading = StateFile.read(try Files.readBytes(path))
        #expect(reading.items.map(\.item) == [.setting(name: "n", value: String(rendered))])
    }

    @Test("A second director cannot use the file of a first")
    func oneDirectorAFile() throws {
        let keeper = try StateKeeper(path: path)
        #expect {
            _ = try StateKeeper(path: path)
        } throws: { error in
            (error as? SystemError)?.wouldBlock == true
        }
        #expect(keeper.end() == nil)
    }

    @Test("A file that cannot be written is said once, tried again, and said to work again")
    func troubleIsTold() throws {
        let keeper = try StateKeeper(path: path)
        keeper.contents = { StateFileTests.items }
        // A directory in its place cannot be replaced by a file.
        try Files.makeDirectory(path)
        keeper.noteChange()
        var told: [String] = []
        var time: UInt64 = 0
        func pass(until count: Int) {
            let limit = MonotonicClock.now() + 10_000_000_000
            while told.count < count, MonotonicClock.now() < limit {
                time += 100
                if let news = keeper.tick(at(milliseconds: time)) { told.append(news) }
            }
        }
        pass(until: 1)
        #expect(told.first?.contains("cannot be written") == true, "\(told)")
        #expect(keeper.trouble != nil)
        Files.removeDirectory(path)
        pass(until: 2)
        #expect(told.count == 2 && told.last?.contains("written again") == true, "\(told)")
        #expect(keeper.trouble == nil)
        #expect(keeper.end() == nil)
        #expect(try Files.readBytes(path) == StateFile.bytes(of: StateFileTests.items))
    }
}
