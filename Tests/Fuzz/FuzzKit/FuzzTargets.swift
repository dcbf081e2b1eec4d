import LVS

/// What the fuzz targets do with one input; the same functions replay the corpus in every test run.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// Ethernet to verdict: frames as they are.
    case frame = "FuzzFrame"
    /// ICMP messages about known connections.
    case icmp = "FuzzICMP"
    /// Fragments in any order.
    case fragments = "FuzzFragments"
    /// What FTP and SIP say.
    case helpers = "FuzzHelpers"

    /// Runs one input; a finding traps.
    package func run(_ input: [UInt8]) {
        switch self {
        case .frame: FrameInput.run(input)
        case .icmp: ICMPInput.run(input)
        case .fragments: FragmentInput.run(input)
        case .helpers: HelperInput.run(input)
        }
    }
}

/// Reads an input from its beginning; at the end there are zeros.
struct InputReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        position += 1
        return bytes[position - 1]
    }

    mutating func word() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }

    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + count)
        defer { position = end }
        return Array(bytes[position..<end])
    }

    mutating func rest() -> [UInt8] { take(bytes.count) }
}

/// Records of a control byte, a length of two bytes, and a frame; up to 16 records.
///
/// ```
/// control  1 port   2,4 checksum: complete, partial, verified   8 mark 7   16 spare memory
///          32 send what has gathered in one burst   64 half a minute passes   128 super-frame
/// ```
enum FrameInput {
    private static let mostRecords = 16

    static func run(_ input: [UInt8]) {
        var reader = InputReader(input)
        let rig = FuzzRig()
        var gathered: [(bytes: [UInt8], arrival: FuzzRig.Arrival)] = []
        for _ in 0..<mostRecords where !reader.isAtEnd {
            let control = reader.byte()
            let bytes = reader.take(Int(reader.word()))
            var arrival = FuzzRig.Arrival()
            arrival.port = control & 1 == 0 ? 0 : 1
            arrival.checksum =
                control & 2 != 0 ? .partial : control & 4 != 0 ? .verified : .complete
            arrival.mark = control & 8 != 0 ? 7 : 0
            arrival.spare = control & 16 != 0 ? 1600 : 0
            arrival.segmentSize = control & 128 != 0 ? 500 : 0
            gathered.append((bytes, arrival))
            guard control & 32 != 0 else { continue }
            rig.send(gathered)
            gathered = []
            if control & 64 != 0 { rig.pass(milliseconds: 30_000) }
        }
        rig.send(gathered)
        rig.finish()
    }
}
