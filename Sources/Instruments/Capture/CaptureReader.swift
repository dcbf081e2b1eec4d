package import Posix

/// Reads the packets of a capture file, pcap or pcapng, one after the other in constant memory.
///
/// Nothing in a file stops it: what makes no sense is named in `remarks`, left out, and reading goes on
/// behind it where that can be found. The bytes of a packet are the reader's until the next is asked
/// for. The reading is our own, also of pcap: libpcap alone takes longer for a packet than the
/// whole of a replay may (Benchmarks, capture-read).
@safe
package final class CaptureReader {
    package enum Format: Sendable {
        case pcap
        case pcapng
    }

    /// Reads more of what is captured into a buffer; 0 at the end.
    package typealias Source = (UnsafeMutableRawBufferPointer) throws(SystemError) -> Int

    /// Longest packet, bytes.
    package static let mostBytes = 256 << 10
    /// Most interfaces of a file.
    package static let mostInterfaces = 4096

    /// What the operator calls the file.
    package let name: String
    package let format: Format
    /// Bytes of the file; nil for a pipe.
    package let totalBytes: UInt64?
    /// Which file it is; nil for bytes that are in none.
    package let identity: Files.Identity?
    /// Interfaces described so far: at the beginning all that stand before the first packet.
    package private(set) var interfaces: [CaptureInterface] = []
    /// What was wrong so far.
    package private(set) var remarks = CaptureRemarks()

    let window: CaptureWindow
    /// Packets so far, with those left out.
    var number: UInt64 = 0
    /// Time of the last packet.
    private(set) var lastTime: Int64?
    var section = PcapngSection()
    /// Of the last packet.
    var lastComment: UnsafeRawBufferPointer?
    private let pcap: PcapLayout?
    /// Positions of interfaces that have names.
    private var named: [CaptureInterface: Int] = [:]
    private var isAtEnd = false

    /// Opens a file, or standard input for `-`.
    package convenience init(path: String) throws(CaptureError) {
        let name = path == "-" ? "standard input" : path
        let input: InputFile
        do throws(SystemError) {
            input = try InputFile(path: path)
        } catch {
            throw CaptureError(error)
        }
        guard !input.isTerminal else {
            throw CaptureError(.badArgument, "\(name) is a terminal; a capture is wanted")
        }
        let (size, identity) = (input.size, input.identity)
        let file = Input(input)
        try unsafe self.init(name: name, totalBytes: size, identity: identity) {
            buffer throws(SystemError) in try unsafe file.file.read(into: buffer)
        }
    }

    /// Reads from anything that gives bytes.
    package init(
        name: String, totalBytes: UInt64?, identity: Files.Identity? = nil,
        source: @escaping Source
    ) throws(CaptureError) {
        self.name = name
        self.totalBytes = totalBytes
        self.identity = identity
        window = unsafe CaptureWindow(source: source)
        let isLong = window.has(PcapLayout.headerBytes)
        if let failure = window.failure { throw CaptureError(failure) }
        let beginning = unsafe UnsafeRawBufferPointer(
            start: window.bytes, count: min(window.available, PcapLayout.headerBytes))
        let magic =
            unsafe beginning.count < 4 ? 0 : beginning.loadUnaligned(as: UInt32.self)
        guard isLong, magic == PcapngBlock.Kind.section.rawValue || PcapLayout.isMagic(magic) else {
            throw unsafe CaptureFinding.error(name, beginning)
        }
        guard PcapLayout.isMagic(magic) else {
            format = .pcapng
            pcap = nil
            readInterfaces()
            return
        }
        let layout = try unsafe PcapLayout(window.bytes, name: name)
        format = .pcap
        pcap = layout
        interfaces = unsafe [layout.interface(window.bytes)]
        window.consume(PcapLayout.headerBytes)
    }

    /// Bytes of the file that have been looked at.
    package var bytesRead: UInt64 { window.offset }

    /// The next packet; nil at the end.
    package func next() -> CapturedPacket? {
        if let pcap { return nextPcap(pcap) }
        unsafe lastComment = nil
        return nextPcapng()
    }

    /// What the file says of the last packet.
    package var comment: String? {
        unsafe lastComment.map { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// Adds a remark about the packet at hand.
    func remark(_ kind: CaptureRemark.Kind, _ text: () -> String) {
        remarks.add(kind, packet: number, offset: window.offset, text)
    }

    /// Position of the first interface like this one, if it has a name.
    func position(of interface: CaptureInterface) -> Int? { named[interface] }

    /// Position of a new interface; nil when there are too many.
    func add(_ interface: CaptureInterface) -> Int? {
        guard interfaces.count < Self.mostInterfaces else { return nil }
        if !interface.name.isEmpty, named[interface] == nil {
            named[interface] = interfaces.count
        }
        interfaces.append(interface)
        return interfaces.count - 1
    }

    /// The packet with these bytes; nil for one that is left out.
    @inline(__always)
    func deliver(
        _ bytes: UnsafeRawBufferPointer, length: UInt32, time: Int64, interface: Int,
        direction: CapturedPacket.Direction
    ) -> CapturedPacket? {
        if let lastTime, time < lastTime {
            remark(.backwards) { "\(lastTime - time) ns older than the packet before" }
        }
        lastTime = time
        var length = length
        if bytes.count != Int(length) {
            guard describe(bytes.count, &length) else { return nil }
        }
        guard unsafe !bytes.isEmpty else {
            remark(.empty) { "no bytes; left out" }
            return nil
        }
        return unsafe CapturedPacket(
            number: number, time: time, interface: interface, bytes: bytes, length: length,
            direction: direction)
    }

    /// Names a packet that was not kept whole; false for one of which nothing was kept.
    private func describe(_ captured: Int, _ length: inout UInt32) -> Bool {
        let told = length
        if captured > Int(told) {
            remark(.overfull) { "\(captured) bytes of a packet that had \(told)" }
            length = UInt32(captured)
            return true
        }
        guard captured > 0 else {
            remark(.empty) { "none of its \(told) bytes; left out" }
            return false
        }
        remark(.snapped) { "only \(captured) of its \(told) bytes" }
        return true
    }

    /// Nil, once all is read; says why when that is not the end of the file.
    func atEnd() -> CapturedPacket? {
        window.consume(window.available)
        if let failure = window.failure, !isAtEnd { remark(.unreadable) { "\(failure)" } }
        isAtEnd = true
        return nil
    }

    /// Lets a closure own the file.
    private final class Input {
        let file: InputFile

        init(_ file: consuming InputFile) { self.file = file }
    }
}
