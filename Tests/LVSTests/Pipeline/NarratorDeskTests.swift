import LVS
import TestKit
import Testing

/// A live worker is asked for stories by another thread.
@Suite struct NarratorDeskTests {
    @Test func `The next packets that are wanted are told of, and no more`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let desk = rig.rig.director.workers[0].desk
        desk.ask(most: 2) { $0.sourcePort >= 4002 }
        for port in UInt16(4000)...4005 {
            _ = rig.send(rig.builder.tcp(from: port, to: 80, flags: 2))
        }
        let stories = desk.takeStories()
        #expect(stories.map { $0.arrived.bytes.be16(34) } == [4002, 4003])
        #expect(stories.allSatisfy { $0.verdict == .send(1) })
        #expect(desk.takeStories().isEmpty)
        #expect(rig.rig.director.workers[0].narrator == nil)
    }

    @Test func `Who stops gets nothing that comes later`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let desk = rig.rig.director.workers[0].desk
        desk.ask(most: 2) { _ in true }
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        desk.stop()
        _ = rig.send(rig.builder.tcp(from: 4001, to: 80, flags: 2))
        #expect(desk.takeStories().isEmpty)
        #expect(rig.rig.director.workers[0].narrator == nil)
    }

    @Test func `A new request forgets what was told for the last one`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let desk = rig.rig.director.workers[0].desk
        desk.ask(most: 5) { _ in true }
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        desk.ask(most: 1) { $0.sourcePort == 4002 }
        for port in UInt16(4001)...4003 {
            _ = rig.send(rig.builder.tcp(from: port, to: 80, flags: 2))
        }
        #expect(desk.takeStories().map { $0.arrived.bytes.be16(34) } == [4002])
    }

    @Test func `A narrator of the worker's own thread stays`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let narrator = Narrator(most: 1)
        rig.rig.director.workers[0].narrator = narrator
        rig.rig.director.workers[0].desk.stop()
        for port in UInt16(4000)...4002 {
            _ = rig.send(rig.builder.tcp(from: port, to: 80, flags: 2))
        }
        #expect(narrator.stories.count == 1)
        #expect(narrator.isFull)
    }
}
