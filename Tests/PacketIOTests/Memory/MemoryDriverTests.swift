import LVS
import PacketIO
import Testing

@Suite struct MemoryDriverTests {
    @Test func aDriverThatIsDownCountsWhatItCannotSend() {
        let driver = MemoryDriver(port: 0)
        driver.isDown = true
        let held = HeldFrame(FrameBytes.plain(to: 1))
        defer { withExtendedLifetime(held) {} }
        driver.enqueue(held.frame)
        driver.flush()
        #expect(driver.takeSent().isEmpty)
        #expect(driver.statistics.sendFailed == 1)
    }
}
