/* Lua: the interpreter runs lua-work.lua, whose result is the hash of all that it gives to `check`. */
#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "lib/random.h"
#include "lib/run.h"
#include "lua-work.h"
#include "lua.h"
#include "lualib.h"

static uint64_t hash;

static int check(lua_State *l)
{
	size_t length;
	const char *text = luaL_tolstring(l, 1, &length);
	hash = hash_bytes(hash, text, length);
	return 0;
}

uint64_t run(uint32_t count)
{
	hash = HASH_EMPTY;
	for (uint32_t i = 0; i < count; i++) {
		lua_State *l = luaL_newstate();
		luaL_requiref(l, "_G", luaopen_base, 1);
		luaL_requiref(l, "string", luaopen_string, 1);
		luaL_requiref(l, "table", luaopen_table, 1);
		luaL_requiref(l, "math", luaopen_math, 1);
		lua_register(l, "check", check);
		if (luaL_loadbuffer(l, (const char *)lua_work, sizeof(lua_work), "work") != LUA_OK)
			return 1;
		lua_call(l, 0, 0);
		lua_close(l);
	}
	return hash;
}
