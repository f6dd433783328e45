--[[
  publish: write entries. For the greatest age after it was written, an entry is not overwritten by a lower version,
  nor by the same version confirmed earlier.
  KEYS[i]        an entry
  ARGV[1]        now, ms since epoch
  ARGV[2]        the greatest age of an entry, ms
  ARGV[3]        how far ahead another clock may be, ms
  ARGV[4]        how long an entry is kept, ms
  ARGV[4 + i]    the entry for KEYS[i]: "version|confirmedAt|writtenAt|..."
  returns how many entries, still young, were below the version that is published
]]
local now, ageMax, skewMax, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local STAMPS = '^(%d+)|(%d+)|(%d+)'

local function young(at)
  return now - at <= ageMax and at - now <= skewMax
end

local below = 0
for i, key in ipairs(KEYS) do
  local entry = ARGV[4 + i]
  local version, confirmedAt = string.match(entry, STAMPS)
  version, confirmedAt = tonumber(version), tonumber(confirmedAt)
  local knownVersion, knownConfirmedAt, knownWrittenAt = string.match(redis.call('GET', key) or '', STAMPS)
  local keeps = false
  if knownVersion then
    knownVersion, knownConfirmedAt = tonumber(knownVersion), tonumber(knownConfirmedAt)
    if young(knownConfirmedAt) and knownVersion < version then below = below + 1 end
    local later = knownVersion > version or (knownVersion == version and knownConfirmedAt > confirmedAt)
    keeps = later and young(tonumber(knownWrittenAt))
  end
  if not keeps then redis.call('SET', key, entry, 'PX', kept) end
end
return below
