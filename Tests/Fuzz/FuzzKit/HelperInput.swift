import LVS
import TestKit

/// Records of a control byte, a length, and text, on an FTP connection or as SIP datagrams; up to 16.
///
/// ```
/// control  1 from the server   2 SIP instead of FTP   4,8 other TCP flags   16 spare memory
///          32 a second passes   64 a data connection is tried
/// ```
enum HelperInput {
    private static let mostRecords = 16

    static func run(_ input: [UInt8], _ rig: FuzzRig) {
        var reader = InputReader(input)
        rig.send([(InputPackets.opener(6, to: 21), FuzzRig.Arrival(spare: 64))])
        var sequences: [UInt32] = [2, 2]
        for _ in 0..<mostRecords where !reader.isAtEnd {
            let control = reader.byte()
            let text = reader.take(Int(reader.byte()))
            let side = Int(control & 1)
            let frame =
                control & 2 != 0
                ? call(side, text) : command(side, control, text, sequences[side])
            sequences[side] &+= UInt32(text.count)
            rig.send([
                (
                    frame,
                    FuzzRig.Arrival(
                        port: PortIndex(side), spare: control & 16 != 0 ? 1600 : 0)
                )
            ])
            if control & 32 != 0 { rig.pass(milliseconds: 1000) }
            if control & 64 != 0 { dataConnection(rig, text) }
        }
    }

    /// A segment of the control connection.
    private static func command(
        _ side: Int, _ control: UInt8, _ text: [UInt8], _ sequence: UInt32
    ) -> [UInt8] {
        var segment: [UInt8] = []
        segment.append(be32: sequence)
        segment.append(be32: 2)
        segment += [0x50, [0x18, 0x10, 0x11, 0x02][Int(control >> 2 & 3)], 0xff, 0xff, 0, 0, 0, 0]
        return side == 0
            ? InputPackets.frame(
                transport: 6, from: InputPackets.client, to: InputPackets.virtual,
                InputPackets.ports(2000, 21, segment + text))
            : InputPackets.frame(
                transport: 6, from: 0x0a02_000d, to: InputPackets.client,
                InputPackets.ports(21, 2000, segment + text))
    }

    private static func call(_ side: Int, _ text: [UInt8]) -> [UInt8] {
        var rest: [UInt8] = []
        rest.append(be16: UInt16(8 + text.count))
        rest += [0, 0]
        return side == 0
            ? InputPackets.frame(
                transport: 17, from: InputPackets.client, to: InputPackets.virtual,
                InputPackets.ports(5060, 5060, rest + text))
            : InputPackets.frame(
                transport: 17, from: 0x0a02_000d, to: InputPackets.client,
                InputPackets.ports(5060, 5060, rest + text))
    }

    /// Openers from both sides at ports that the text named, or not.
    private static func dataConnection(_ rig: FuzzRig, _ text: [UInt8]) {
        let port = UInt16(text.first ?? 0) << 8 | UInt16(text.last ?? 0)
        let segment: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]
        rig.send([
            (InputPackets.opener(6, to: port), FuzzRig.Arrival()),
            (
                InputPackets.frame(
                    transport: 6, from: 0x0a02_000d, to: InputPackets.client,
                    InputPackets.ports(20, port, segment)), FuzzRig.Arrival(port: 1)
            ),
        ])
    }
}
