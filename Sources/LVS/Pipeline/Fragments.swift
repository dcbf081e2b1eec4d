/// Cuts IPv4 packets that are too long for their way into fragments (RFC 791 section 2.3).
enum Fragments {
    /// Where the pieces of one packet begin and end, and what their headers say.
    @safe
    struct Cut {
        /// The whole packet, from its network header on.
        private let packet: UnsafeMutableRawPointer
        let headerLength: Int
        /// Bytes behind the header.
        let payload: Int
        /// Payload that the longest fragment can carry.
        private let room: Int
        /// Every fragment says "don't fragment": the packet came in fragments that did, and is cut
        /// anew (what the kernel does, and does not do for fragments that go as they came).
        var keepsDontFragment = false

        /// The cut of the packet at `packet` into fragments of at most `longest` bytes; nil when not
        /// even eight bytes of payload fit.
        init?(_ packet: UnsafeMutableRawPointer, longest: Int) {
            unsafe self.packet = packet
            headerLength = unsafe Int(packet.byte(0) & 15) * 4
            payload = unsafe Int(packet.be16(2)) - headerLength
            room = longest - headerLength
            guard room >= 8, payload >= 0 else { return nil }
        }

        /// Payload bytes of the fragment that begins at `start`: all that is left when it fits, else
        /// as many eights as do.
        func size(from start: Int) -> Int {
            let left = payload - start
            return left <= room ? left : room & ~7
        }

        /// True when fragments of these payload sizes can go as they are.
        func accepts(_ sizes: [UInt16]) -> Bool {
            var sum = 0
            for size in sizes {
                guard Int(size) <= room, sum & 7 == 0 else { return false }
                sum += Int(size)
            }
            return sum == payload && !sizes.isEmpty
        }

        /// Writes the fragment of `count` payload bytes from `start`, its IP header first.
        func write(from start: Int, count: Int, to target: UnsafeMutableRawPointer) {
            unsafe target.copyMemory(from: packet, byteCount: headerLength)
            unsafe (target + headerLength).copyMemory(
                from: packet + headerLength + start, byteCount: count)
            if start != 0 { unsafe Fragments.dropFirstOnlyOptions(target, headerLength) }
            let more: UInt16 = start + count < payload ? 0x2000 : 0
            let whole: UInt16 = keepsDontFragment ? 0x4000 : 0
            unsafe target.set(2, be16: UInt16(truncatingIfNeeded: headerLength + count))
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
