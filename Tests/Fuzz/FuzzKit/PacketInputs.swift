import LVS
import TestKit

/// Packets around whose headers are right what the input says.
enum InputPackets {
    static let client: UInt32 = 0xc633_6401
    static let virtual: UInt32 = 0x0a01_0064

    /// An IPv4 packet in a frame for the director, its header checksum right.
    static func frame(
        transport: UInt8, from source: UInt32, to destination: UInt32, identification: UInt16 = 1,
        fragment: UInt16 = 0, _ payload: [UInt8]
    ) -> [UInt8] {
        var frame: [UInt8] = [2, 0, 10, 1, 0, 1, 2, 0, 10, 1, 0, 0xfe, 8, 0, 0x45, 0]
        frame.append(be16: UInt16(truncatingIfNeeded: 20 + payload.count))
        frame.append(be16: identification)
        frame.append(be16: fragment)
        frame += [64, transport, 0, 0]
        frame.append(be32: source)
        frame.append(be32: destination)
        frame.fillHeaderChecksum()
        return frame + payload
    }

    /// An IPv6 packet from 2001:db8:c::1 to the director's virtual address.
    static func frame(nextHeader: UInt8, _ payload: [UInt8]) -> [UInt8] {
        PacketBuilder(
            from: FuzzWorld.address("2001:db8:c::1"), at: HardwareAddress(value: 0x0200_0a01_00fe),
            to: FuzzWorld.virtual.v6, at: HardwareAddress(value: 0x0200_0a01_0001)
        ).frame(transport: nextHeader, checksumAt: nil, payload)
    }

    static func ports(_ source: UInt16, _ destination: UInt16, _ rest: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(be16: source)
        bytes.append(be16: destination)
        return bytes + rest
    }

    /// A SYN, or a datagram of no bytes.
    static func opener(_ transport: UInt8, to port: UInt16) -> [UInt8] {
        let rest: [UInt8] =
            transport == 6
            ? [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0] : [0, 8, 0, 0]
        return frame(
            transport: transport, from: client, to: virtual, ports(2000, port, rest))
    }
}

/// A control byte and an ICMP message, which meets one connection of each kind: NAT by TCP, direct
/// routing, a tunnel, NAT by UDP, all of client 198.51.100.1:2000; and FULLNAT between families, of
/// client 2001:db8:c::1 and local address 10.2.0.200, both with port 2000.
///
/// ```
/// control  1 from the servers' side   2 leave the checksum as it is   4 from the outer address 10.2.0.12
///          8 to a tunnel's source instead of the virtual address      16 spare memory
///          32 ICMPv6 of the client, or ICMP to the local address
/// ```
enum ICMPInput {
    static func run(_ input: [UInt8], _ rig: FuzzRig) {
        var reader = InputReader(input)
        rig.send(
            [(6, 80), (6, 443), (6, 8080), (17, 53)].map { transport, port in
                (InputPackets.opener(transport, to: port), FuzzRig.Arrival(spare: 64))
            })
        rig.send(
            ([(6, 8083), (17, 5002)] as [(UInt8, UInt16)]).map { transport, port in
                let opener = InputPackets.opener(transport, to: port).dropFirst(34)
                return (
                    InputPackets.frame(nextHeader: transport, Array(opener)), FuzzRig.Arrival()
                )
            })
        let control = reader.byte()
        var message = reader.rest()
        if control & 33 == 32 {
            let isSummed = control & 2 == 0 && message.count >= 4
            var frame = InputPackets.frame(nextHeader: 58, message)
            if isSummed { frame.fillTransportChecksum(at: 56) }
            let spare = control & 16 != 0 ? 1600 : 0
            return rig.send([(frame, FuzzRig.Arrival(spare: spare))])
        }
        if control & 2 == 0, message.count >= 4 {
            message[2] = 0
            message[3] = 0
            let sum = ~message.onesSum(0..<message.count)
            message[2] = UInt8(sum >> 8)
            message[3] = UInt8(truncatingIfNeeded: sum)
        }
        let source: UInt32 = control & 4 != 0 ? 0x0a02_000c : 0xc000_0209
        let destination: UInt32 =
            control & 8 != 0
            ? 0x0a02_0001
            : control & 1 == 0
                ? InputPackets.virtual
                : control & 32 == 0 ? InputPackets.client : FuzzWorld.local.v4
        let frame = InputPackets.frame(transport: 1, from: source, to: destination, message)
        rig.send([
            (
                frame,
                FuzzRig.Arrival(
                    port: control & 1 == 0 ? 0 : 1, spare: control & 16 != 0 ? 1600 : 0)
            )
        ])
    }
}

/// Records of four bytes (control, offset, length) that make fragments of datagrams to a NAT service,
/// a tunnel and a service of direct routing; up to 48.
///
/// ```
/// control  3 which service   4 more fragments   8,16 which datagram   32 from the server   64 a burst ends
///          128 a second passes
/// ```
enum FragmentInput {
    private static let mostRecords = 48

    static func run(_ input: [UInt8], _ rig: FuzzRig) {
        var reader = InputReader(input)
        var gathered: [(bytes: [UInt8], arrival: FuzzRig.Arrival)] = []
        for _ in 0..<mostRecords where !reader.isAtEnd {
            let control = reader.byte()
            let offset = UInt16(reader.byte())
            let length = Int(reader.word() & 0x7ff)
            gathered.append((fragment(control, offset, length), arrival(control)))
            guard control & 64 != 0 else { continue }
            rig.send(gathered)
            gathered = []
            if control & 128 != 0 { rig.pass(milliseconds: 1000) }
        }
        rig.send(gathered)
    }

    private static func arrival(_ control: UInt8) -> FuzzRig.Arrival {
        FuzzRig.Arrival(port: control & 32 == 0 ? 0 : 1, spare: control & 16 == 0 ? 0 : 64)
    }

    private static func fragment(_ control: UInt8, _ offset: UInt16, _ length: Int) -> [UInt8] {
        let port: UInt16 = [53, 8080, 443, 5000][Int(control & 3)]
        let transport: UInt8 = control & 1 == 0 && control & 3 != 2 || control & 3 == 3 ? 17 : 6
        var payload = [UInt8](repeating: control, count: length)
        if offset == 0 {
            let header = InputPackets.opener(transport, to: port).dropFirst(34)
            payload.replaceSubrange(0..<min(header.count, length), with: header.prefix(length))
        }
        return InputPackets.frame(
            transport: transport,
            from: control & 32 == 0 ? InputPackets.client : 0x0a02_000b,
            to: control & 32 == 0 ? InputPackets.virtual : InputPackets.client,
            identification: UInt16(control >> 3 & 3),
            fragment: (control & 4 == 0 ? 0 : 0x2000) | offset, payload)
    }
}
