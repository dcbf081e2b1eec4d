/// Cuts packets that are too long for their way into fragments (RFC 791 section 2.3, RFC 8200 section
/// 4.5); of IPv6 only those that came in fragments.
enum Fragments {
    /// Every way takes IPv6 packets of this length, and fragments are not made shorter.
    static let leastOfIPv6 = 1280

    /// Where the pieces of one packet begin and end, and what their headers say.
    @safe
    struct Cut {
        /// The whole packet, from its network header on.
        private let packet: UnsafeMutableRawPointer
        private let isIPv6: Bool
        /// Bytes that every fragment repeats, as they stand in the whole packet.
        let headerLength: Int
        /// Where the first header behind them is named.
        private let numberOffset: Int
        /// Bytes of a fragment before its payload.
        let newHeaderLength: Int
        /// The number that an IPv6 fragment header carries.
        private let identification: UInt32
        /// Bytes behind the header.
        let payload: Int
        /// Payload that the longest fragment can carry.
        private let room: Int
        /// Every fragment says "don't fragment": the packet came in fragments that did, and is cut
        /// anew (what the kernel does, and does not do for fragments that go as they came).
        var keepsDontFragment = false

        /// The cut of the packet at `packet` into fragments of at most `longest` bytes; nil when not
        /// even eight bytes of payload fit.
        init?(_ packet: UnsafeMutableRawPointer, longest: Int, identification: UInt32) {
            unsafe self.packet = packet
            self.identification = identification
            let header = unsafe IPHeader(packet)
            isIPv6 = header.isIPv6
            if header.isIPv6 {
                var chain = unsafe HeaderChain(at: 0, end: header.totalLength, in: packet)
                guard chain.skipUnfragmentable() else { return nil }
                headerLength = chain.offset
                numberOffset = chain.numberOffset
                newHeaderLength = chain.offset + 8
            } else {
                headerLength = unsafe Int(packet.byte(0) & 15) * 4
                numberOffset = 9
                newHeaderLength = headerLength
            }
            payload = header.totalLength - headerLength
            room = longest - newHeaderLength
            guard room >= 8, payload >= 0 else { return nil }
        }

        /// Payload bytes of the fragment that begins at `start`: all that is left when it fits, else
        /// as many eights as do.
        func size(from start: Int) -> Int {
            let left = payload - start
            return left <= room ? left : room & ~7
        }

        /// Payload of the first fragment when the others keep these sizes.
        func rest(behind sizes: [UInt16]) -> Int {
            sizes.dropFirst().reduce(payload) { $0 - Int($1) }
        }

        /// True when fragments of these payload sizes, but for that of the first, can go as they are.
        func accepts(_ sizes: [UInt16], first: Int) -> Bool {
            guard first > 0, first <= room, !sizes.isEmpty else { return false }
            var sum = first
            for size in sizes.dropFirst() {
                guard Int(size) <= room, sum & 7 == 0 else { return false }
                sum += Int(size)
            }
            return sum == payload
        }

        /// Writes the fragment of `count` payload bytes from `start`, its IP header first.
        func write(from start: Int, count: Int, to target: UnsafeMutableRawPointer) {
            unsafe target.copyMemory(from: packet, byteCount: headerLength)
            unsafe (target + newHeaderLength).copyMemory(
                from: packet + headerLength + start, byteCount: count)
            unsafe IPHeader(target, isIPv6: isIPv6).totalLength = newHeaderLength + count
            guard !isIPv6 else {
                let fragment = unsafe target + headerLength
                unsafe fragment.set(0, byte: target.byte(numberOffset))
                unsafe fragment.set(1, byte: 0)
                unsafe fragment.set(
                    2,
                    be16: UInt16(truncatingIfNeeded: start) | (start + count < payload ? 1 : 0))
                unsafe fragment.set(4, be32: identification)
                return unsafe target.set(numberOffset, byte: HeaderChain.fragment)
            }
            if start != 0 { unsafe Fragments.dropFirstOnlyOptions(target, headerLength) }
            let more: UInt16 = start + count < payload ? 0x2000 : 0
            let whole: UInt16 = keepsDontFragment ? 0x4000 : 0
            unsafe target.set(6, be16: UInt16(truncatingIfNeeded: start >> 3) | more | whole)
            unsafe Checksum.writeHeader(target, count: headerLength)
        }
    }

    /// Replaces the options that only the first fragment carries by no-operations (RFC 791 section
    /// 3.1: those without the copied flag).
    private static func dropFirstOnlyOptions(_ header: UnsafeMutableRawPointer, _ length: Int) {
        var position = 20
        while position < length {
            let kind = unsafe header.byte(position)
            guard kind != 0 else { return }
            guard kind != 1 else {
                position += 1
                continue
            }
            guard position + 1 < length else { return }
            let size = unsafe Int(header.byte(position + 1))
            guard size >= 2, position + size <= length else { return }
            if kind & 0x80 == 0 {
                for index in position..<position + size { unsafe header.set(index, byte: 1) }
            }
            position += size
        }
    }
}
