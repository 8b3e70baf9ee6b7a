-- What Lua is measured with: calls, tables, strings, closures, metatables, numbers and the garbage collector.

local function fibonacci(n)
  if n < 2 then return n end
  return fibonacci(n - 1) + fibonacci(n - 2)
end
check(fibonacci(21))

local seed = 73
local function random(limit)
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed // 65536 % limit
end

local numbers = {}
for i = 1, 5000 do numbers[i] = random(10007) + i / 3 end
table.sort(numbers, function(a, b) return a > b end)
check(numbers[1])
check(numbers[#numbers])

local parts = {}
for i = 1, 2000 do
  parts[#parts + 1] = string.format("%d:%x:%g:%5.2f:%s", i, i, i / 7, i * 1.1, ("x"):rep(i % 5))
end
local text = table.concat(parts, ",")
check(text)
local digits = 0
for word in text:gmatch("%d+:(%x+)") do digits = digits + #word end
check(digits)
check((text:gsub("1(%d)", "<%1>")))

local Account = {}
Account.__index = Account
function Account.new(balance) return setmetatable({ balance = balance }, Account) end
function Account:deposit(amount) self.balance = self.balance + amount end
local accounts = {}
for i = 1, 100 do accounts[i] = Account.new(i) end
for i = 1, 20000 do accounts[random(100) + 1]:deposit(i % 17) end
for i = 1, 100, 9 do check(accounts[i].balance) end

local counts = {}
for i = 1, 10000 do
  local key = "k" .. random(500)
  counts[key] = (counts[key] or 0) + 1
end
local sum = 0
for _, n in pairs(counts) do sum = sum + n * n end
check(sum)

for _ = 1, 20 do
  local garbage = {}
  for j = 1, 200 do garbage[j] = { j, tostring(j) } end
end

local matrix, total = {}, 0.0
for i = 1, 60 do
  matrix[i] = {}
  for j = 1, 60 do matrix[i][j] = i * j % 17 + 0.5 end
end
for i = 1, 60 do
  local row = matrix[i]
  for j = 1, 60 do
    local cell = 0.0
    for k = 1, 20 do cell = cell + row[k] * matrix[k][j] end
    total = total + cell
  end
end
check(total)
check(1 << 62 | 5 ~ 3)
check(2 ^ 53 // 3)
