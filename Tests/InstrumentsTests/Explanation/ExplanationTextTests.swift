import Instruments
import LVS
import TestKit
import Testing

/// Whole explanations as people read them.
@Suite struct ExplanationTextTests {
    @Test func `show`() throws {
        let rig = DirectorRig.twoLegged()
        for line in [
            "-A -t 10.1.0.100:80 -s wlc -p 300 -M 255.255.255.0", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m -w 3",
            "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m -w 1", "-A -u 10.1.0.100:53 -s rr",
            "-a -u 10.1.0.100:53 -r 10.2.0.13:53 -i",
            "-A -t 10.1.0.100:443 -s sed", "-a -t 10.1.0.100:443 -r 10.2.0.13:443 -m -w 0",
        ] {
            try RuleLine.run(line.split(separator: " ").map(String.init), on: rig.director)
        }
        func tell(_ bytes: [UInt8], _ port: PortIndex = 0) {
            let story = rig.director.workers[0].story(of: bytes, on: port, now: rig.clock.now)
            print(story.map { Explanation($0, of: rig.director).text } ?? "none")
        }
        let b = DirectorRig.client(IPAddress(v4: 0xc633_6407))
        tell(b.tcp(from: 4321, to: 80, flags: 2))
        rig.advance(milliseconds: 1500)
        tell(b.tcp(from: 4321, to: 80, flags: 16))
        tell(b.tcp(from: 4322, to: 80, flags: 2))
        tell(b.udp(from: 4321, to: 53))
        tell(b.tcp(from: 4321, to: 443, flags: 2))
        tell(b.tcp(from: 4321, to: 81, flags: 2))
        tell(b.tcp(from: 4329, to: 80, flags: 16))
    }
}
