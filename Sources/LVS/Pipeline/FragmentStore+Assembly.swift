// Datagrams that have all their fragments.

extension FragmentStore {
    /// Where the first fragment's headers are kept.
    func header(
        _ number: Int32, _ memory: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        unsafe memory + FragmentStore.blocks * FragmentStore.blockBytes
            + Int(number) * FragmentStore.headerBytes
    }

    func headers(of datagram: FragmentedDatagram) -> Int {
        datagram.link + datagram.headerLength
    }

    /// Copies the headers of the first fragment to where the whole is put together.
    func writeHeader(
        _ number: Int32, _ memory: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let start =
            unsafe header(Int32(FragmentStore.mostDatagrams), memory) + FragmentStore.headroom
        unsafe start.copyMemory(
            from: header(number, memory), byteCount: headers(of: datagrams[Int(number)]))
        return unsafe start
    }

    /// Copies the payload of one fragment; returns how long it is.
    func copy(
        _ first: Int32, to target: UnsafeMutableRawPointer, _ memory: UnsafeMutableRawPointer
    ) -> Int {
        let count = pieces[Int(first)].count
        var piece = first
        var done = 0
        while done < count {
            let part = min(FragmentStore.blockBytes, count - done)
            unsafe (target + done).copyMemory(
                from: memory + Int(piece) * FragmentStore.blockBytes, byteCount: part)
            done += part
            piece = pieces[Int(piece)].rest
        }
        return count
    }

    func frame(
        _ start: UnsafeMutableRawPointer, _ datagram: FragmentedDatagram, count: Int
    ) -> Frame {
        var frame = unsafe Frame(
            bytes: start, length: headers(of: datagram) + count,
            capacity: FragmentStore.wholeBytes, headroom: FragmentStore.headroom,
            ingress: datagram.ingress)
        frame.vlan = datagram.vlan
        frame.mark = datagram.mark
        return frame
    }

    /// Puts a datagram together; nil when it is longer than any packet, or when its fragments do not
    /// agree about congestion marks.
    mutating func assemble(_ number: Int32, _ memory: UnsafeMutableRawPointer) -> Frame? {
        let datagram = datagrams[Int(number)]
        let headerLength = datagram.headerLength - datagram.fragmentHeaderLength
        let total = headerLength + datagram.length
        let most = datagram.isIPv6 ? 65_535 + 40 : 65_535
        guard total <= most, let congestion = datagram.congestionMark else { return nil }
        let start = unsafe writeHeader(number, memory)
        let network = unsafe start + datagram.link
        if datagram.isIPv6 {
            // The fragment header, the last one, goes; what it names takes its name.
            unsafe network.set(datagram.numberOffset, byte: network.byte(headerLength))
        }
        var target = unsafe network + headerLength
        sizes.removeAll(keepingCapacity: true)
        longest = datagram.longest
        unfragmentableLength = headerLength
        var piece = datagram.first
        while piece != FragmentStore.none {
            let size = unsafe copy(piece, to: target, memory)
            sizes.append(UInt16(truncatingIfNeeded: size))
            unsafe target += size
            piece = pieces[Int(piece)].next
        }
        let header = unsafe IPHeader(network, isIPv6: datagram.isIPv6)
        header.addCongestion(congestion)
        header.totalLength = total
        if !datagram.isIPv6 {
            unsafe network.set(6, be16: datagram.hasDontFragment ? 0x4000 : 0)
        }
        header.seal(length: headerLength)
        return unsafe frame(
            start, datagram, count: datagram.length - datagram.fragmentHeaderLength)
    }
}
