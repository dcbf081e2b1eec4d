import LVS
import PacketIO
import Testing

@Suite struct MemoryDriverTests {
    @Test func aDriverThatIsDownCountsWhatItCannotSend() {
        let driver = MemoryDriver(port: 0)
        driver.isDown = true
        driver.send([HeldFrame(FrameBytes.plain(to: 1))])
        #expect(driver.takeSent().isEmpty)
        #expect(driver.statistics.sendFailed == 1)
    }
}
