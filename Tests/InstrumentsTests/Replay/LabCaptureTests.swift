import Control
import Foundation
import Instruments
import LVS
import Posix
import TestKit
import Testing

/// Real protocols at a real director: what it received, replayed, must give what it sent.
@Suite struct LabCaptureTests {
    @Test(arguments: Fixture.all("lab"))
    func `A replay of what a director received gives what it sent, byte for byte`(
        name: String
    ) throws {
        let scene = try Scene(name)
        let sent = try scene.play()
        for port in scene.ports {
            let expected = try scene.expected(port)
            let actual = sent[port] ?? []
            for (number, pair) in zip(expected, actual).enumerated() where pair.0 != pair.1 {
                let text = FrameText.difference(expected: pair.0, actual: pair.1)
                Issue.record("\(name), packet \(number + 1) sent by \(port): \(text)")
                break
            }
            #expect(
                actual.count == expected.count, "\(name): frames sent by \(port)")
        }
    }

    @Test func `The same capture gives the same frames in every run`() throws {
        #expect(try Scene("persistence").play() == Scene("persistence").play())
    }
}

/// Files of tests.
enum Fixture {
    static let directory = Bundle.module.bundlePath + "/Fixtures"

    /// What lies in a directory, in alphabetical order.
    static func all(_ name: String) -> [String] { Files.list("\(directory)/\(name)") }
}

/// A recorded scene: rules, network and captures of both directions.
struct Scene {
    let ports: [String]
    let replay: Replay
    let run: ReplayRun
    private let path: String

    /// `rules` take the place of the scene's own; without its network, what nobody says is assumed.
    init(_ name: String, rules: String? = nil, hasNetwork: Bool = true) throws {
        path = "\(Fixture.directory)/lab/\(name)"
        let files = Files.list(path)
        ports = ["cli", "srv"].filter { files.contains("in-\($0).pcap") }
        var sheet = Sheet()
        if hasNetwork { try sheet.read(try Files.read(path + "/network")) }
        try sheet.read(rules ?? Files.read(path + "/rules"))
        let sources = try ports.map { [path] port in
            MergedCapture.Source(
                name: port, reader: try CaptureReader(path: "\(path)/in-\(port).pcap"))
        }
        let capture = MergedCapture(sources)
        let names = try ReplayRun.names(of: capture.interfaces, in: sheet.network)
        let parsed = try RulesFile.parse(sheet.rules)
        let network = try ReplayNetwork(
            sheet.network, names: names, services: parsed.services,
            servers: parsed.serverAddresses)
        var options = Replay.Options()
        options.connections = 4096
        replay = try Replay(network, options)
        try DirectorTarget(replay.director).apply(parsed)
        run = ReplayRun(capture, replay, names: names)
    }

    /// The frames that leave, by the name of the port.
    func play() throws -> [String: [[UInt8]]] {
        let outcome = ReplayTests.Outcome()
        replay.sink = outcome
        while run.step() {}
        replay.finish()
        #expect(run.remarks == [])
        return Dictionary(grouping: outcome.sent) { replay.network.ports[Int($0.port)].name }
            .mapValues { $0.map(\.bytes) }
    }

    /// Has as many connections opened to the web service as are asked for, from port 1001 on, without
    /// the capture; `time` says when the n-th comes, in ns.
    func connect(_ count: UInt16, at time: (Int64) -> Int64 = { $0 }) throws {
        let addresses = try ["10.1.0.20", "10.1.0.100"].map { try #require(IPAddress(parsing: $0)) }
        for number in 1...count {
            replay.take(
                MadeSegment(
                    client: addresses[0], clientPort: 1000 + number, virtual: addresses[1],
                    virtualPort: 80, flags: MadeSegment.syn), packet: UInt64(number),
                at: time(Int64(number)), by: 0)
        }
        replay.finish()
    }

    /// What the director sent by a port.
    func expected(_ port: String) throws -> [[UInt8]] {
        let reader = try CaptureReader(path: "\(path)/out-\(port).pcap")
        var frames: [[UInt8]] = []
        while let packet = reader.next() { frames.append(unsafe Array(packet.bytes)) }
        return frames
    }
}
