import Instruments
import Testing

@Suite struct MergedCaptureTests {
    private func pcap(_ times: [UInt32], _ mark: UInt8) throws -> CaptureReader {
        var file = FileBytes.pcap()
        for time in times { file.record([mark], seconds: time) }
        return try CaptureReader(file.bytes)
    }

    private func rest(_ capture: MergedCapture) -> [String] {
        var lines: [String] = []
        while let packet = capture.next() {
            let name = capture.interfaces[packet.interface].name
            let mark = unsafe packet.bytes[0]
            lines.append("\(packet.number) \(packet.time / 1_000_000_000) \(name) \(mark)")
        }
        return lines
    }

    @Test func `Packets of several files come in the order of their times`() throws {
        let capture = MergedCapture([
            .init(name: "eth0", reader: try pcap([1, 3, 3, 9], 1)),
            .init(name: "eth1", reader: try pcap([2, 3, 4], 2)),
            .init(name: "eth0", reader: try pcap([], 3)),
        ])
        #expect(capture.interfaces.map(\.name) == ["eth0", "eth1"])
        #expect(
            rest(capture) == [
                "1 1 eth0 1", "2 2 eth1 2", "3 3 eth0 1", "4 3 eth0 1", "5 3 eth1 2", "6 4 eth1 2",
                "7 9 eth0 1",
            ])
        #expect(capture.bytesRead == capture.totalBytes)
    }

    @Test func `A packet says which file it is of`() throws {
        let capture = MergedCapture([
            .init(reader: try pcap([1, 4], 1)), .init(reader: try pcap([2], 2)),
        ])
        var found: [String] = []
        while capture.next() != nil { found.append("\(capture.source) \(capture.numberInFile)") }
        #expect(found == ["0 1", "1 1", "0 2"])
        // Without names they are two.
        #expect(capture.interfaces.count == 2)
    }

    @Test func `Packets of a single file keep their numbers`() throws {
        var file = FileBytes.section()
        file.interface("a")
        file.packet([], units: 0)
        file.packet([1], units: 1_000_000)
        file.addSection()
        file.interface("b")
        file.packet([2], units: 2_000_000)
        let capture = MergedCapture(try CaptureReader(file.bytes))
        #expect(rest(capture) == ["2 1 a 1", "3 2 b 2"])
        #expect(capture.remarkLines.count == 1)
        #expect(capture.next() == nil)
    }

    @Test func `An interface described late is found in a merge as well`() throws {
        var file = FileBytes.section()
        file.interface("a")
        file.packet([1], units: 1_000_000)
        file.interface("b")
        file.packet([2], interface: 1, units: 3_000_000)
        let capture = MergedCapture([
            .init(reader: try CaptureReader(file.bytes)),
            .init(name: "b", reader: try pcap([2], 3)),
        ])
        #expect(rest(capture) == ["1 1 a 1", "2 2 b 3", "3 3 b 2"])
        #expect(capture.interfaces.map(\.name) == ["a", "b"])
    }

    @Test func `Nothing merges to nothing`() throws {
        #expect(MergedCapture([]).next() == nil)
        #expect(MergedCapture([]).totalBytes == 0)
    }
}
