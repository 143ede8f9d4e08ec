// Owns: the scripts that run in Redis. Each touches the one key KEYS[1] and looks at the first 64 bytes of its record alone (docs/internals/
// protocol.md). They are sent by digest, and by their text to a server that has forgotten them (sent_scripts.hpp). Offsets are those of docs/reference/wire-format.md, counted from 1: state 4, flags 5-6, stamp 9-24, version 25-32.
#pragma once

#include <array>
#include <string_view>

namespace tiercel::script {

// Does nothing: whether scripts are known and permitted at all.
inline constexpr std::string_view kProbe = "return 1";

// Compare and set. ARGV: the stamp that must be there ("": nothing of ours), what to put in its place ("": nothing), its life in milliseconds ("0":
// no end). 1: done; 0: another stamp is there. Fills, passes, releases, renewals and the taking of a record that may not be served are all this.
inline constexpr std::string_view kSwap =
    "local h=redis.call('GETRANGE',KEYS[1],0,63) "
    "if string.sub(h,9,24)~=ARGV[1] then return 0 end "
    "if ARGV[2]=='' then redis.call('DEL',KEYS[1]) "
    "elseif ARGV[3]=='0' then redis.call('SET',KEYS[1],ARGV[2]) "
    "else redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) end "
    "return 1";

// A `set` that names a version. ARGV: the record, its life, the version in 8 bytes. 1: stored; 0: a newer version is there (a value, or a floor);
// 2: under a write intent, so not stored.
inline constexpr std::string_view kStore =
    "local h=redis.call('GETRANGE',KEYS[1],0,63) "
    "if string.len(h)==64 and string.sub(h,1,2)=='TL' then "
    "if string.byte(h,4)==2 then return 2 end "
    "if string.byte(h,6)%2==1 then "
    "local a,b=struct.unpack('>I4I4',h,25) local c,d=struct.unpack('>I4I4',ARGV[3]) "
    "if a>c or (a==c and b>d) then return 0 end end end "
    "if ARGV[2]=='0' then redis.call('SET',KEYS[1],ARGV[1]) else redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) end "
    "return 1";

// An invalidation that names a version. ARGV: the floor, its life, the version in 8 bytes. 1: done; 0: what is there is newer.
inline constexpr std::string_view kFloor =
    "local h=redis.call('GETRANGE',KEYS[1],0,63) "
    "if string.len(h)==64 and string.sub(h,1,2)=='TL' and string.byte(h,6)%2==1 then "
    "local a,b=struct.unpack('>I4I4',h,25) local c,d=struct.unpack('>I4I4',ARGV[3]) "
    "if a>c or (a==c and b>d) then return 0 end end "
    "redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2]) "
    "return 1";

// A writer's notice. ARGV: the header of the intent, the writer's token and deadline (16 + 8 bytes), its life, now (8 bytes, the server's clock as
// deadlines are), until when a value's version stays a floor (8 bytes), the same as a life. Tokens of others stay, those past their deadline go; a
// version that what stood there names is carried on as a floor. 1: the token was there already (a renewal); 0: it was not; -1: too many writers.
inline constexpr std::string_view kIntentBegin =
    "local h=redis.call('GETRANGE',KEYS[1],0,63) local head,rest,held,px=ARGV[1],'',0,tonumber(ARGV[3]) "
    "local ours=string.len(h)==64 and string.sub(h,1,2)=='TL' "
    "if ours and string.byte(h,4)==2 then "
    "local all=redis.call('GETRANGE',KEYS[1],64,-1) local nh,nl=struct.unpack('>I4I4',ARGV[4]) "
    "for i=1,string.len(all)-23,24 do "
    "if string.sub(all,i,i+15)==string.sub(ARGV[2],1,16) then held=1 else "
    "local a,b=struct.unpack('>I4I4',all,i+16) "
    "if a>nh or (a==nh and b>nl) then rest=rest..string.sub(all,i,i+23) end end end "
    "if string.len(rest)>=1536 then return -1 end "
    "local left=redis.call('PTTL',KEYS[1]) if left>px then px=left end end "
    "if ours and string.byte(h,6)%2==1 then "
    "local till,life=ARGV[5],tonumber(ARGV[6]) "
    "if string.byte(h,4)~=0 then till=string.sub(h,41,48) life=redis.call('PTTL',KEYS[1]) end "
    "local a,b=struct.unpack('>I4I4',till) local c,d=struct.unpack('>I4I4',head,41) "
    "if a<c or (a==c and b<d) then till=string.sub(head,41,48) end "
    "if life>px then px=life end "
    "head=string.sub(head,1,4)..string.sub(h,5,6)..string.sub(head,7,24)..string.sub(h,25,32)..string.sub(head,33,40).."
    "till..string.sub(head,49,64) end "
    "redis.call('SET',KEYS[1],head..rest..ARGV[2],'PX',px) "
    "return held";

// Its end. ARGV: the token, now, what to put in the intent's place when no writer is left ("": nothing, or the floor that it carried; a tag's new
// record), its life ("0": no end), a new stamp for an intent that others hold, or for the floor. 1: the token was there; 0: it was not (expired, or
// overwritten).
inline constexpr std::string_view kIntentEnd =
    "local h=redis.call('GETRANGE',KEYS[1],0,63) local rest,held='',0 "
    "local ours=string.len(h)==64 and string.sub(h,1,2)=='TL' "
    "if ours and string.byte(h,4)==2 then "
    "local all=redis.call('GETRANGE',KEYS[1],64,-1) local nh,nl=struct.unpack('>I4I4',ARGV[2]) "
    "for i=1,string.len(all)-23,24 do "
    "if string.sub(all,i,i+15)==ARGV[1] then held=1 else "
    "local a,b=struct.unpack('>I4I4',all,i+16) "
    "if a>nh or (a==nh and b>nl) then rest=rest..string.sub(all,i,i+23) end end end end "
    "local px=redis.call('PTTL',KEYS[1]) "
    "if rest~='' then "
    "redis.call('SET',KEYS[1],string.sub(h,1,8)..ARGV[5]..string.sub(h,25,64)..rest,'PX',math.max(px,1)) "
    "elseif ARGV[3]=='' and px>0 and ours and string.byte(h,4)~=0 and string.byte(h,6)%2==1 then "
    "redis.call('SET',KEYS[1],string.sub(h,1,3)..string.char(4)..string.sub(h,5,8)..ARGV[5]..string.sub(h,25,32).."
    "string.rep(string.char(0),8)..string.sub(h,41,64),'PX',px) "
    "elseif ARGV[3]=='' then redis.call('DEL',KEYS[1]) "
    "elseif ARGV[4]=='0' then redis.call('SET',KEYS[1],ARGV[3]) "
    "else redis.call('SET',KEYS[1],ARGV[3],'PX',ARGV[4]) end "
    "return held";

// The root as a server's clients find it when they connect. ARGV: a new root record, the server's id (16 bytes, zeros: it does not tell), "1" where
// what another server stored is not to be trusted. The id under which the stamp was given stands at 25, the one that was met last at 41. 0: it is as
// it should be; 1: another server was met, and the stamp stays; 2: the same, and the stamp is new; 3: there was no root.
inline constexpr std::string_view kRoot =
    "local v=redis.call('GET',KEYS[1]) "
    "if not v or string.len(v)~=56 then redis.call('SET',KEYS[1],ARGV[1]) return 3 end "
    "local none=string.rep(string.char(0),16) "
    "if ARGV[2]==none then return 0 end "
    "if ARGV[3]=='1' and string.sub(v,25,40)~=ARGV[2] then redis.call('SET',KEYS[1],ARGV[1]) return 2 end "
    "local met=string.sub(v,41,56) "
    "if met==ARGV[2] then return 0 end "
    "redis.call('SET',KEYS[1],string.sub(v,1,40)..ARGV[2]) "
    "return met==none and 0 or 1";

// Gives a tag a longer life while it still has the stamp we know. ARGV: the stamp, the tag's record, its life ("0": no end).
inline constexpr std::string_view kExtendTag =
    "local v=redis.call('GET',KEYS[1]) "
    "if not v or string.sub(v,1,16)~=ARGV[1] then return 0 end "
    "if ARGV[3]=='0' then redis.call('SET',KEYS[1],ARGV[2]) else redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) end "
    "return 1";

// Every one, as each connection loads them.
inline constexpr std::array<std::string_view, 7> kAll{kSwap,      kStore,     kFloor, kIntentBegin,
                                                      kIntentEnd, kExtendTag, kRoot};

}  // namespace tiercel::script
