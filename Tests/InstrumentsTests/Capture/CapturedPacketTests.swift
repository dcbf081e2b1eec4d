import Instruments
import Testing

@Suite struct CapturedPacketTests {
    @Test func `A packet of which the file holds less than there was is truncated`() {
        let bytes = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        let packet = unsafe CapturedPacket(
            number: 1, time: 0, interface: 0, bytes: bytes, length: 60)
        #expect(packet.isTruncated)
        var whole = packet
        whole.length = 0
        #expect(!whole.isTruncated)
    }
}
